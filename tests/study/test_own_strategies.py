"""A strategy and a distiller of a user's own, from a module outside the repository."""

from pathlib import Path
from textwrap import dedent

import pytest
from study_command import TINY, run

from metakd.analysis.summary import read_summary
from metakd.results.reader import read_trials
from metakd.results.searches import read_searches
from metakd.strategies import STRATEGIES, StrategyError, add_own

MODULE = """
    from dataclasses import dataclass
    from typing import ClassVar

    from metakd.core.distillers import KDConfig
    from metakd.strategies import Choices, Search, Segment, Strategy


    @dataclass(frozen=True)
    class SharpConfig(KDConfig):
        method: ClassVar[str] = "sharp"
        version: ClassVar[int] = 3


    def both(choices: Choices) -> Search:
        yield [Segment(SharpConfig(0.5, 0.5, choices.alpha)), Segment(KDConfig(2.0, 2.0, 0.5))]


    BOTH = Strategy("two runs", both, label="the pair", is_searcher=False)
    NUMBER = 3
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mystrategies.py").write_text(dedent(MODULE))
    return tmp_path


@pytest.mark.slow
def test_it_runs_beside_the_others_and_is_named_in_reports(place: Path) -> None:
    words = [*TINY, "out", "--strategies", "ce", "grid", "meta", "mystrategies:BOTH"]
    words += ["--augmentations", "none"]
    done = run(*words, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    segments = read_searches(place / "out").to_pylist()
    own = [each for each in segments if each["strategy"] == "mystrategies:BOTH"]
    rows = {row["trial_id"]: row for row in read_trials(place / "out").to_pylist()}
    assert {rows[each["trial_id"]]["method"] for each in own} == {"sharp", "kd"}
    assert {row["status"] for row in rows.values()} == {"done"}
    assert any('"sharp":3' in row["config_json"] for row in rows.values())
    summary = read_summary(place / "out")
    assert "mystrategies:BOTH" in summary.strategies
    assert {each.strategy for each in summary.baselines} == {"ce", "mystrategies:BOTH"}
    assert (place / "out" / "report.html").read_text().count("mystrategies:BOTH") > 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:BOTH", "nowhere cannot be imported: ModuleNotFoundError"),
        ("mystrategies:NONE", "mystrategies has nothing called 'NONE'"),
        ("mystrategies:NUMBER", "must be a metakd.strategies.Strategy, got int"),
        ("mystrategies:both", "must be a metakd.strategies.Strategy, got function"),
        ("mystrategies:", "unknown strategy 'mystrategies:'"),
    ],
)
def test_what_is_no_strategy_is_one_line(place: Path, name: str, said: str) -> None:
    failed = run(*TINY, "out", "--dry-run", "--strategies", "ce", name, cwd=place)
    assert failed.returncode == 2, failed.stdout
    assert said in failed.stderr
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1


def test_names_of_ours_are_passed() -> None:
    before = set(STRATEGIES)
    for name in ("grid", "optuna+asha", "magic"):
        add_own(name)
    assert set(STRATEGIES) == before
    with pytest.raises(StrategyError, match="got Registry"):
        add_own("metakd.strategies:STRATEGIES")

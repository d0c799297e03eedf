"""Studies side by side: nothing pooled, and what differs is said."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from html_page import Page
from made_up_study import MadeUpStudy

from metakd.analysis.summary import Summary
from metakd.dashboards.__main__ import main
from metakd.dashboards.side_by_side import (
    Study,
    differences,
    forest,
    heading,
    named,
    render_comparison,
    shared_settings,
    warnings,
)


@pytest.fixture
def summary(summary: Summary) -> Summary:
    """The made-up study with nothing missing."""
    done = replace(summary.inventory, finished=84, failed=0)
    return replace(summary, inventory=done, deciding=None)


def pair(summary: Summary, **changes: object) -> tuple[Study, Study]:
    return Study("first", summary), Study("second", replace(summary, **changes))


def test_like_studies_need_no_warning(summary: Summary) -> None:
    assert warnings(pair(summary)) == []
    page = Page(render_comparison(pair(summary)))
    assert "They were asked the same question in the same way" in page.words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"margin_pp": 0.5}, "margins differ (±0.2 and ±0.5 points)"),
        ({"temperatures": (1.0, 2.0)}, "another baseline"),
        ({"fixed_tau": 2.0}, "τ = 4 and 2"),
        ({"spec": {"epochs": "3"}}, "Training differs (epochs)"),
        ({"provenance": {"git commit": "abc"}}, "another commit"),
        ({"settings": ()}, "No two studies share a setting"),
        ({"spec": {"seed_streams": "own"}}, "Intervals of second are of the very settings"),
    ],
)
def test_what_makes_numbers_incomparable_is_said(
    summary: Summary, changes: dict, words: str
) -> None:
    (found,) = warnings(pair(summary, **changes))
    assert words in found
    assert found in Page(render_comparison(pair(summary, **changes))).words


def test_an_incomplete_study_is_said_to_be_one(summary: Summary) -> None:
    runs = replace(summary.inventory, finished=3)
    (found,) = warnings(pair(summary, inventory=runs))
    assert found == "second is incomplete: 3 of 84 trials are there."


def test_another_extent_is_no_other_training(summary: Summary) -> None:
    first = replace(summary, spec={"seeds": "3", "epochs": "40"})
    second = replace(summary, spec={"seeds": "6", "epochs": "40"})
    assert warnings((Study("a", first), Study("b", second))) == []


def test_settings_that_two_studies_have_are_shared(summary: Summary) -> None:
    changed = replace(summary.settings[0], teacher="another")
    first, second = pair(summary, settings=(changed, *summary.settings[2:]))
    shared = shared_settings((first, second))
    assert [setting.key for setting in shared] == [s.key for s in summary.settings[2:]]
    assert all(setting.results[0] is not None for setting in shared)
    third = Study("third", replace(summary, settings=(changed,)))
    (last,) = [s for s in shared_settings((first, second, third)) if s.results[2] is not None]
    assert last.results == (None, changed, changed)


def test_a_forest_has_one_scale(summary: Summary) -> None:
    wide = tuple(
        replace(c, effect=replace(c.effect, low_pp=-9.0, high_pp=9.0)) for c in summary.comparisons
    )
    first, second = forest(pair(summary, comparisons=wide), "full_grid")
    length = [
        float(x2) - float(x1)
        for row in (first, second)
        for x1, x2 in re.findall(r'class="interval" x1="([\d.]+)" x2="([\d.]+)"', row.bar)
    ]
    effect = summary.comparisons[0].effect
    assert effect.low_pp is not None
    assert effect.high_pp is not None
    assert length[0] / length[1] == pytest.approx((effect.high_pp - effect.low_pp) / 18, rel=0.02)


def test_differences_hold_what_one_study_lacks(summary: Summary) -> None:
    facts = {
        fact.what: fact.values
        for fact in differences(pair(summary, provenance={"torch": "3"}, margin_pp=0.3))
    }
    assert facts["torch"] == ("2", "3")
    assert facts["command"] == (summary.provenance["command"], "–")
    assert facts["margin"] == ("±0.2 points", "±0.3 points")


def test_the_heading_claims_agreement_only_where_it_is(summary: Summary) -> None:
    better = tuple(replace(c, accuracy_verdict="better") for c in summary.comparisons)
    assert heading(pair(summary)).startswith("Both studies say the same")
    differing = heading(pair(summary, comparisons=better))
    assert differing == "2 studies, 2 verdicts: undecided and better"


def test_studies_of_one_name_are_told_apart(summary: Summary, tmp_path: Path) -> None:
    a, b = tmp_path / "x" / "run", tmp_path / "y" / "run"
    assert [s.name for s in named([(a, summary), (tmp_path / "z", summary)])] == [
        "grid_vs_meta (run)",
        "grid_vs_meta (z)",
    ]
    names = [study.name for study in named([(a, summary), (b, summary)])]
    assert len(set(names)) == 2
    (only, _) = named([(a, summary), (b, replace(summary, study="other"))])
    assert only.name == "grid_vs_meta"


def test_every_number_stands_in_its_own_study(summary: Summary) -> None:
    page = Page(render_comparison(pair(summary)))
    for comparison in summary.comparisons:
        mean = f"{abs(comparison.effect.mean_pp or 0.0):.2f}"
        assert page.words.count(mean) >= 2
    assert len(page.scripts) == 2  # data and the page's own: nothing here needs Plotly
    assert "connect-src 'none'" in page.policy
    assert len(page.all("caption")) == len(page.all("table"))


def test_the_command_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = MadeUpStudy().write(tmp_path / "a")
    b = MadeUpStudy(margin_pp=0.5, strategies=("fixed", "meta")).write(tmp_path / "b")
    c = MadeUpStudy(absent=lambda row: True).write(tmp_path / "c")
    assert main([str(a), "--compare", str(b), str(c)]) == 0
    assert capsys.readouterr().out.strip() == str(a / "comparison.html")
    words = Page((a / "comparison.html").read_text(encoding="utf-8")).words
    for word in ("made up (a)", "made up (b)", "made up (c)", "The margins differ", "no data"):
        assert word in words
    assert not re.search(r"\b(None|nan|Undefined)\b", words)
    assert not (b / "summary.json").exists()

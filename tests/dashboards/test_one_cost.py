"""A page and a terminal show one cost of a strategy, whatever part of them shows it.

Seconds and steps of the made-up studies disagree, by scale, and costs of strategies differ: what
is written as a number of runs is the cost of one of them, or it is wrong.
"""

import re
from io import StringIO
from pathlib import Path

import pytest
from made_up_study import MadeUpSearch, MadeUpSegment, MadeUpStudy, Row
from made_up_teaching import teaching_study
from page_numbers import data_of, texts_of
from rich.console import Console

from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary
from metakd.dashboards import print_verdict
from metakd.dashboards.report import render
from metakd.dashboards.side_by_side import named, render_comparison

# By method, at 10 % and at 100 % of the data, where a run takes ten times as long.
SECONDS = {"mkd": (1.6, 1.25), "metadistil": (9.0, 5.5), "ce": (0.8, 0.8), "dear": (1.9, 1.7)}
SEARCHES = (
    MadeUpSearch("random", (MadeUpSegment(3.0, "slow"), MadeUpSegment(5.0, "slow"))),
    MadeUpSearch("dkd", (MadeUpSegment(4.0, "dear"),)),
)
RUNS = re.compile(r"(\d+\.\d+) (?:plain )?runs|runs against (\d+\.\d+)")
# Where the cost of one strategy stands, in words.
OF_LEARNING = re.compile(
    r"learned (?:[\d.]+ % at|ends at [\d.]+ % after|there,|run costs) (\d+\.\d+)|"
    r"learned, (\d+\.\d+) runs|learning (?:reaches in|costs|there)? ?(\d+\.\d+)|"
    r"(\d+\.\d+) runs against"
)
OF_GRID = re.compile(
    r"grid (?:of 4 temperatures costs|[\d.]+ % at|ends at [\d.]+ % after) (\d+\.\d+)|"
    r"runs against (\d+\.\d+) of the full grid|search of (\d+\.\d+)|tun(?:ing|ed) there,? "
    r"(?:costs )?(\d+\.\d+)"
)


def timed(row: Row) -> Row:
    """Adds seconds that say what steps do not, and luck of the seed that all runs share."""
    of_method = SECONDS.get(row["method"], (1.2, 1.2) if row["method"] == "slow" else (1.0, 1.0))
    small, large = of_method
    unit = small if row["scale"] < 0.5 else 10 * large
    return row | {"student_compute_s": unit * (1.0 + 0.1 * row["seed"])}


def timed_summary(study: MadeUpStudy, out: Path) -> Summary:
    plain = MadeUpStudy._row
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MadeUpStudy, "_row", lambda *of: timed(plain(*of)))
        return summarise(study.write(out))


@pytest.fixture(scope="module", params=["grid_vs_meta", "transfer", "start_range"])
def summary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Summary:
    study = MadeUpStudy(question=request.param, learned_cost=1.07, searches=SEARCHES)
    return timed_summary(study, tmp_path_factory.mktemp("timed"))


def printed(summary: Summary) -> list[str]:
    text = StringIO()
    print_verdict(Console(width=110, file=text), summary)
    return [" ".join(text.getvalue().split())]


def found(pattern: re.Pattern[str], texts: list[str]) -> set[str]:
    """Returns the numbers that a pattern finds in texts, rounded as costs are."""
    groups = [group for text in texts for each in pattern.findall(text) for group in each]
    return {group for group in groups if group}


def test_all_that_is_shown_is_one_cost_by_strategy(summary: Summary) -> None:
    costs = {name: f"{cost:.1f}" for name, cost in summary.runs.items()}
    assert costs == {
        "ce": "0.8", "fixed": "1.0", "grid": "4.0", "meta": "1.3", "random": "2.4", "dkd": "1.7",
    }  # fmt: skip
    page, terminal = texts_of(render(summary)), printed(summary)
    # Of a scale, and named so.
    of_scale = re.compile(r"\] for (\d+\.\d) runs")
    by_scale = {f"{gain.learned_runs:.1f}" for gain in summary.gains}
    assert {number for text in page for number in of_scale.findall(text)} == by_scale
    whole = [text for text in page if not of_scale.search(text)]
    reusing = {"5.0"} if summary.question == "transfer" else set()
    part_of_grid = {f"{summary.comparisons[1].baseline_runs:.1f}"}
    for texts in (whole, terminal):
        assert found(RUNS, texts) <= {*costs.values(), *reusing, *part_of_grid}
        assert found(OF_LEARNING, texts) <= {"1.3"}
        assert found(OF_GRID, texts) <= {"4.0"}
    assert found(OF_LEARNING, page) == {"1.3"}
    assert found(OF_GRID, page) == {"4.0"}


def test_tables_show_the_same(summary: Summary) -> None:
    page = render(summary)
    for name, cost in (("random", "2.4"), ("DKD", "1.7"), ("no teacher", "0.8")):
        [row] = re.findall(rf'<th scope="row">(?:<svg.*?</svg>)?{name}</th>(.*?)</tr>', page, re.S)[
            :1
        ]
        assert re.findall(r'<td class="n">(\d\.\d)</td>', row) == [cost]
    [words] = printed(summary)
    for name, cost in (("random", "2.4"), ("dkd", "1.7"), ("ce", "0.8")):
        if f" {name} " in words:
            assert re.search(rf" {name} \d\d\.\d\d {cost} ", words)


def test_figures_end_where_costs_say(summary: Summary) -> None:
    by_curve = {curve.strategy: curve.runs[-1] for curve in summary.anytime}
    assert by_curve == pytest.approx(summary.runs)
    last = {point.strategy: point.runs for point in summary.costs}
    assert last == pytest.approx(summary.runs)
    ends = [max(trace["x"]) for trace in data_of(render(summary))["anytime"]["data"] if trace["x"]]
    assert max(ends) == pytest.approx(summary.runs["grid"], rel=1e-4)


def test_factors_are_of_these_costs(summary: Summary) -> None:
    overall = [baseline.overall for baseline in summary.baselines]
    for comparison in (*summary.comparisons, *overall):
        learned, baseline = comparison.learned_runs, comparison.baseline_runs
        assert learned == summary.runs["meta"]
        if comparison.cost_verdict in ("cheaper", "dearer"):
            ratio = max(learned, baseline) / min(learned, baseline)
            assert comparison.cost_factor == pytest.approx(ratio)


def test_studies_side_by_side_show_it_too(summary: Summary) -> None:
    page = render_comparison(named([(Path("a"), summary), (Path("b"), summary)]))
    assert found(OF_LEARNING, texts_of(page)) == {"1.3"}


def test_a_learner_of_its_own_has_one_cost(tmp_path: Path) -> None:
    summary = timed_summary(teaching_study("metadistil", augmentations=("none",)), tmp_path)
    costs = {name: f"{cost:.1f}" for name, cost in summary.runs.items()}
    assert (costs["metadistil"], costs["fixed"]) == ("5.8", "1.0")
    for texts in (texts_of(render(summary)), printed(summary)):
        assert found(RUNS, texts) <= set(costs.values())
        assert any("in plain runs: the learning teacher 5.8, the fixed" in text for text in texts)

"""Learning against every other strategy, whole and at equal cost."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from made_up_study import MadeUpSearch, MadeUpSegment
from rich.console import Console

from metakd.analysis.comparison import compare_baselines, found_at_equal_cost, segments_paid_for
from metakd.analysis.costs import costs_of
from metakd.analysis.grid import choose
from metakd.analysis.statistics.claims import holm
from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.analysis.table import make_table
from metakd.dashboards.terminal import other_strategies_table, usual_tables


def table_of(study):
    return make_table(study.record(), tuple(study.rows()), study.search_rows())


def baselines_of(study):
    table = table_of(study)
    return {
        baseline.strategy: baseline
        for baseline in compare_baselines(table, choose(table), costs_of(table))
    }


def searching(strategy, *taus, **changes):
    return MadeUpSearch(strategy, tuple(MadeUpSegment(tau) for tau in taus), **changes)


def rising(method, tau, setting, seed):
    """Each point of temperature is a point of accuracy; learning reaches 90 % ± its seed's luck."""
    luck = np.random.default_rng([setting, seed]).normal(0, 0.001)
    return (0.9 + luck,) * 2 if method == "mkd" else (0.8 + tau / 100,) * 2


@pytest.mark.parametrize(
    ("costs", "budget", "begun"),
    [
        ([1.0, 1.0, 1.0], 1.0, 1),
        ([1.0, 1.0, 1.0], 1.6, 2),
        # 2.0000001 runs pay for two.
        ([1.0, 1.0, 1.0], 2.0000001, 2),
        ([0.25, 0.25, 0.25, 0.25, 1.0], 0.6, 3),
        ([5.0, 1.0], 1.6, 1),
        ([1.0, 1.0], 100.0, 2),
        # What was paid already, or by another, is free.
        ([1.0, 0.0, 0.0, 1.0], 1.5, 4),
        ([1.0, np.nan], 1.6, 0),
        ([1.0, 1.0], np.nan, 0),
        ([], 1.0, 0),
    ],
)
def test_the_segment_in_which_the_budget_is_spent_is_run_to_its_end(costs, budget, begun) -> None:
    of_one_pair = np.array(costs, dtype=float).reshape(-1, 1, 1)
    assert segments_paid_for(of_one_pair, np.array([[budget]])).tolist() == [[begun]]


def test_equal_cost_by_hand(made_up) -> None:
    """A learned run costs 1.6 plain ones: two runs of the search have begun by then."""
    table = table_of(made_up(accuracy=rising, searches=(searching("new", 3.0, 5.0, 7.0),)))
    assert found_at_equal_cost(table.strategy_runs[4], costs_of(table), "meta") == pytest.approx(
        np.full((4, 4), 0.85)
    )


def test_at_equal_cost_measured_seconds_count(made_up) -> None:
    study = made_up(accuracy=rising, searches=(searching("new", 3.0, 5.0, 7.0),))
    rows = [
        row | ({"student_compute_s": 5.0} if row["method"] == "mkd" else {}) for row in study.rows()
    ]
    table = make_table(study.record(), tuple(rows), study.search_rows())
    # 2.5 plain runs in seconds.
    assert found_at_equal_cost(table.strategy_runs[4], costs_of(table), "meta") == pytest.approx(
        np.full((4, 4), 0.87)
    )


def test_what_has_no_whole_run_by_then_is_said(made_up) -> None:
    """Three members side by side, an epoch each in turn: after 1.6 runs none is done."""
    turns = tuple(
        MadeUpSegment(tau, f"member-{tau}", until=epoch + 1, start=epoch)
        for epoch in range(4)
        for tau in (2.0, 4.0, 3.0)
    )
    baseline = baselines_of(made_up(accuracy=rising, searches=(MadeUpSearch("pbt", turns),)))["pbt"]
    assert baseline.equal_cost.mean_pp is None
    assert baseline.equal_cost_unready == 16
    assert baseline.equal_cost_p_holm is None
    assert baseline.equal_cost_claim == "no clear gap"
    assert baseline.overall.effect.mean_pp == pytest.approx(6.0, abs=0.2)
    assert baseline.overall.baseline_runs == pytest.approx(3.0)


def test_the_table_has_all_but_the_three_comparisons(made_up) -> None:
    study = made_up(
        accuracy=rising,
        searches=(searching("new", 3.0, 5.0, 7.0), searching("open", 3.0, is_complete=False)),
    )
    baselines = baselines_of(study)
    assert list(baselines) == ["ce", "new", "open"]
    new, none = baselines["new"], baselines["open"]
    assert new.test_pp == pytest.approx(87.0)
    assert new.overall.effect.mean_pp == pytest.approx(3.0, abs=0.1)
    assert new.overall.baseline_runs == pytest.approx(3.0)
    assert new.overall.cost_factor == pytest.approx(3 / 1.6)
    assert new.overall.accuracy_verdict == "better"
    assert new.overall.cost_verdict == "cheaper"
    assert new.equal_cost.mean_pp == pytest.approx(new.overall.effect.mean_pp + 2.0)
    assert (new.claim, new.equal_cost_claim) == ("ahead", "ahead")
    # Nothing is claimed of a search that still runs, and it costs the others no correction.
    assert none.test_pp is none.overall.baseline_runs is none.p_value is none.p_holm is None
    assert none.overall.accuracy_verdict == "no data"
    assert none.claim == none.equal_cost_claim == "no clear gap"
    assert none.equal_cost_unready == 0
    assert [r.p_holm for r in baselines.values()] == holm([r.p_value for r in baselines.values()])
    assert max(new.p_holm, baselines["ce"].p_holm) == pytest.approx(
        max(2 * min(new.p_value, baselines["ce"].p_value), new.p_value, baselines["ce"].p_value)
    )


def test_without_learning_accuracies_are_listed_and_nothing_is_judged(made_up) -> None:
    baselines = baselines_of(
        made_up(accuracy=rising, strategies=("grid",), searches=(searching("new", 3.0),))
    )
    assert baselines["new"].test_pp == pytest.approx(83.0)
    assert baselines["new"].overall.accuracy_verdict == "no data"
    assert baselines["new"].equal_cost.pairs == baselines["new"].equal_cost_unready == 0


def test_the_verdict_says_whom_learning_beats_at_equal_cost(made_up, tmp_path: Path) -> None:
    names = [f"poor {index}" for index in range(6)]
    study = made_up(
        scales=(1.0,),
        augmentations=("none",),
        accuracy=rising,
        searches=(*(searching(name, 3.0) for name in names), searching("rich", 12.0)),
    )
    summary = summarise(study.write(tmp_path))
    [sentence] = [text for text in summary.verdict.sentences if "equal cost learning is" in text]
    assert sentence == (
        "At equal cost learning is clearly ahead of no teacher, poor 0, poor 1, poor 2 and 3 more "
        "and behind rich, corrected for looking at 8 strategies (Holm)."
    )
    write_summary(tmp_path, summary)
    again = read_summary(tmp_path)
    assert [baseline.strategy for baseline in again.baselines] == ["ce", *names, "rich"]


@pytest.mark.parametrize(
    ("strategies", "badge"),
    [(("meta",), "Neither grid nor default"), (("grid",), "Nothing learned")],
)
def test_without_a_baseline_all_are_listed(made_up, tmp_path: Path, strategies, badge) -> None:
    study = made_up(
        scales=(1.0,), accuracy=rising, strategies=strategies, searches=(searching("new", 3.0),)
    )
    verdict = summarise(study.write(tmp_path)).verdict
    assert verdict.badge == badge
    assert "new 83.00 % (2 settings)" in verdict.sentences[0]
    told = "At equal cost learning is clearly ahead of new, corrected for looking at 1 strategy"
    assert any(told in text for text in verdict.sentences) == (strategies == ("meta",))


def test_the_four_alone_add_no_sentence(made_up, tmp_path: Path) -> None:
    summary = summarise(made_up(scales=(1.0,), augmentations=("none",)).write(tmp_path))
    assert [baseline.strategy for baseline in summary.baselines] == ["ce"]
    assert not any("equal cost learning is" in text for text in summary.verdict.sentences)


def test_the_terminal_lists_them(made_up, tmp_path: Path) -> None:
    study = made_up(
        scales=(1.0,),
        accuracy=rising,
        searches=(
            searching("a strategy with a long name", 3.0, 4.0),
            searching("open", 3.0, is_complete=False),
        ),
    )
    console = Console(width=100, file=StringIO())
    console.print(other_strategies_table(summarise(study.write(tmp_path))))
    lines = console.file.getvalue().splitlines()
    [row] = [line.split() for line in lines if "with" in line]
    assert row[:6] == ["a", "strategy", "with", "a", "84.00", "2.0"]
    assert row[-2:] == ["better", "ahead"]
    assert [line.split()[1:3] for line in lines if "open" in line] == [["–", "–"]]
    assert "…" not in console.file.getvalue()
    bare = summarise(made_up(strategies=("grid", "meta"), scales=(1.0,)).write(tmp_path / "bare"))
    assert len(usual_tables(bare)) == 1

"""What strategies found and paid, segment by segment."""

import zlib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from made_up_study import EPOCHS, MadeUpSearch, MadeUpSegment

from metakd.analysis.costs import SECONDS, STEPS, costs_of
from metakd.analysis.figures.degradations import degradation_curves
from metakd.analysis.figures.reliability import loss_profiles
from metakd.analysis.grid import choose
from metakd.analysis.inventory import make_inventory
from metakd.analysis.reached import cost_points, reached_by_strategy, shared_pairs
from metakd.analysis.settings import setting_results
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.summarise import summarise
from metakd.analysis.table import make_table, read_table
from metakd.results.searches import write_searches
from metakd.results.study import StoreError
from metakd.results.writer import write_failure


def table_of(study):
    return make_table(study.record(), tuple(study.rows()), study.search_rows())


def by_tau(method, tau, setting, seed):
    """Validation prefers high temperatures, test low ones."""
    return 0.5 + tau / 100, 0.9 - tau / 100


def search(*segments, strategy="tomorrow", **changes):
    return MadeUpSearch(strategy, tuple(segments), **changes)


WHOLE = search(MadeUpSegment(3.0), MadeUpSegment(6.0), MadeUpSegment(5.0))
# A bracket of three: one of them ends at the recipe's last epoch. 2.0 is the grid's own run.
HALVED = search(
    MadeUpSegment(2.0, until=1, is_covered=True),
    MadeUpSegment(3.0, until=1),
    MadeUpSegment(9.0, until=1),
    MadeUpSegment(2.0, until=2, start=1, is_covered=True),
    MadeUpSegment(3.0, until=2, start=1),
    MadeUpSegment(3.0, start=2),
)
HALVED_TOO = search(*HALVED.segments, strategy="halved")
# Two members; after half of the epochs the second goes on from the first one's weights.
POPULATION = search(
    MadeUpSegment(1.0, "a", until=2),
    MadeUpSegment(7.0, "b", until=2),
    MadeUpSegment(1.0, "a", start=2),
    MadeUpSegment(4.0, "ab", start=2),
)


def assert_same_runs(found, expected):
    """Two tables have the same segments."""
    assert len(found.strategy_runs) == len(expected.strategy_runs)
    for each, other in zip(found.strategy_runs, expected.strategy_runs, strict=True):
        for field in fields(StrategyRuns):
            one, two = getattr(each, field.name), getattr(other, field.name)
            is_number = field.name != "strategy"
            assert np.array_equal(one, two, equal_nan=is_number), field.name


@pytest.mark.parametrize(
    ("asked", "tau", "epochs"),
    [(WHOLE, 6.0, 3 * EPOCHS), (HALVED, 3.0, 3 + 2 + 2), (POPULATION, 4.0, 4 + 4)],
)
def test_validation_chooses_among_whole_runs_and_every_epoch_is_charged(
    made_up, asked, tau, epochs
) -> None:
    table = table_of(made_up(accuracy=by_tau, searches=(asked,)))
    found = reached_by_strategy(table, choose(table))["tomorrow"]
    assert found.test_last == pytest.approx(np.full((4, 4), 0.9 - tau / 100))
    assert found.test_selected == pytest.approx(found.test_last + 0.0005)
    spent = costs_of(table).spent
    for currency, of_a_run in ((STEPS, 100), (SECONDS, 2.0)):
        expected = np.full((4, 4), epochs / EPOCHS * of_a_run)
        assert spent[currency, "tomorrow"] == pytest.approx(expected)


def test_of_equal_validation_the_one_asked_first_is_taken(made_up) -> None:
    def flat(method, tau, setting, seed):
        return 0.5, tau / 10

    for segments in ((5.0, 3.0), (3.0, 5.0)):
        table = table_of(
            made_up(accuracy=flat, searches=(search(*(MadeUpSegment(tau) for tau in segments)),))
        )
        found = reached_by_strategy(table, None)["tomorrow"]
        assert (found.test_last == segments[0] / 10).all()


def test_the_order_of_rows_does_not_matter(made_up) -> None:
    study = made_up(accuracy=by_tau, searches=(HALVED,))
    turned = make_table(study.record(), tuple(study.rows()), study.search_rows()[::-1])
    assert_same_runs(turned, table_of(study))


def test_a_trial_counts_for_the_strategies_that_ran_it_alone(made_up) -> None:
    """A variant that learns is not taken for learning, nor a searched τ for the grid's."""
    study = made_up(
        searches=(search(MadeUpSegment(4.0, "mkd-shared"), strategy="meta-shared"), WHOLE)
    )
    rows = [
        row | {"method": "mkd"} if row["method"] == "mkd-shared" else row for row in study.rows()
    ]
    table = make_table(study.record(), tuple(rows), study.search_rows())
    alone = table_of(made_up())
    for name in ("ce", "fixed", "grid", "meta"):
        for field in ("test_acc_last", "step_equivalents"):
            found, expected = (getattr(each.runs(name), field) for each in (table, alone))
            assert np.array_equal(found, expected, equal_nan=True)
    names = [runs.strategy for runs in table.strategy_runs]
    assert names == ["ce", "fixed", "grid", "meta", "meta-shared", "tomorrow"]
    assert table.runs("meta-shared").complete.all()


@pytest.mark.parametrize("cause", ["runs", "missing", "failed"])
def test_what_has_not_ended_is_not_judged(made_up, tmp_path: Path, cause) -> None:
    def is_third(row):
        return row["trial_id"] == "kd-5.0-1-2"

    study = made_up(accuracy=by_tau, searches=(WHOLE,))
    rows, searches = study.rows(), study.search_rows()
    if cause == "missing":
        rows = [row for row in rows if not is_third(row)]
    if cause == "failed":
        costs = {"step_equivalents": None, "student_compute_s": None, "epochs": None}
        rows = [row | ({"status": "failed", **costs} if is_third(row) else {}) for row in rows]
    if cause == "runs":
        searches = [s | {"is_complete": not is_third(s)} for s in searches]
    table = make_table(study.record(), tuple(rows), searches)
    found = reached_by_strategy(table, None)["tomorrow"]
    expected = np.ones((4, 4), bool)
    expected[1, 2] = False
    assert np.array_equal(np.isfinite(found.test_last), expected)
    assert np.array_equal(table.runs("tomorrow").complete, expected)
    assert table.runs("tomorrow").blocked.sum() == (cause == "failed")
    inventory = make_inventory(table)
    assert (inventory.searches, inventory.ended_searches) == (80, 79)
    assert inventory.blocked_searches == (cause == "failed")
    assert inventory.complete_pairs == 15
    # A failed run is charged like the median of its strategy and shared among the 47 others.
    share = 48 / 47 if cause == "failed" else 1.0
    assert costs_of(table).spent[STEPS, "tomorrow"][0, 0] == pytest.approx(300 * share)


def test_a_recorded_failure_is_charged_what_it_left(made_up) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), seeds=2, searches=(WHOLE,))
    failed = {"status": "failed", "step_equivalents": 30.0, "student_compute_s": 0.5}
    rows = [row | (failed if row["trial_id"] == "kd-5.0-0-1" else {}) for row in study.rows()]
    table = make_table(study.record(), tuple(rows), study.search_rows())
    spent = costs_of(table).spent[STEPS, "tomorrow"]
    assert spent[0, 0] == pytest.approx(300 * 530 / 500)


def test_a_strategy_without_teacher_stands_beside_every_teacher(made_up) -> None:
    asked = search(MadeUpSegment(None, "smooth"), has_teacher=False)
    study = made_up(teachers=("big", "bigger"), scales=(1.0,), searches=(asked,))
    table = table_of(study)
    found = reached_by_strategy(table, None)["tomorrow"].test_last
    assert np.isfinite(found).all()
    assert np.array_equal(found[::2], found[1::2])
    # Also where each teacher's search is listed by itself.
    twice = [*study.search_rows(), *study.search_rows()]
    again = make_table(study.record(), tuple(study.rows()), twice)
    assert_same_runs(again, table)


def test_two_segments_at_one_position_are_refused(made_up) -> None:
    study = made_up(searches=(WHOLE,))
    searches = study.search_rows()
    searches[1] |= {"position": 0}
    with pytest.raises(StoreError, match="position 0 of strategy 'tomorrow'"):
        make_table(study.record(), tuple(study.rows()), searches)


def test_searches_that_the_study_does_not_ask_for_do_not_count(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), searches=(WHOLE,))
    study.write(tmp_path)
    foreign = [s | {"strategy": "yesterday"} for s in study.search_rows()]
    write_searches(tmp_path, foreign)
    table = read_table(tmp_path, study.record())
    assert table.strategies[-1] == "tomorrow"
    assert not table.runs("tomorrow").ended.any()
    assert len(table.rows) == len(made_up(scales=(1.0,)).rows())


def test_results_figures_and_settings_have_all_strategies(made_up) -> None:
    halved = search(*HALVED.segments, strategy="halved")
    table = table_of(made_up(accuracy=by_tau, searches=(WHOLE, halved)))
    grid = choose(table)
    order = ["ce", "fixed", "grid", "meta", "tomorrow", "halved"]
    points = {point.strategy: point for point in cost_points(table, grid, costs_of(table))}
    assert list(points) == order
    assert points["tomorrow"].runs == pytest.approx(3.0)
    assert points["halved"].runs == pytest.approx(7 / EPOCHS)
    assert points["halved"].test_pp == pytest.approx(87.0)
    assert [profile.strategy for profile in loss_profiles(table, grid)] == order
    along = {curve.strategy: curve for curve in degradation_curves(table, grid)}
    assert list(along) == order
    assert along["tomorrow"].mean_pp == pytest.approx((84.0, 84.0))
    [first, *_] = setting_results(table, grid, costs_of(table))
    charged = {score.strategy: score.runs for score in first.scores}
    assert charged["tomorrow"] == pytest.approx(3.0)
    assert charged["halved"] == pytest.approx(7 / EPOCHS)


def test_a_search_that_runs_hides_no_more_than_half() -> None:
    def at(*pairs):
        mask = np.zeros((1, 4), bool)
        mask[0, list(pairs)] = True
        return mask

    there = {"grid": at(0, 1, 2, 3), "new": at(3), "early": at(0, 1, 2), "late": at(2, 3)}
    names, pairs = shared_pairs(there)
    assert names == ["grid", "early"]
    assert np.array_equal(pairs, at(0, 1, 2))
    # Half of the pairs are enough.
    assert shared_pairs({"grid": at(0, 1), "meta": at(1), "ce": at()})[0] == ["grid", "meta"]
    names, pairs = shared_pairs({"new": at(3), "early": at(0, 1)})
    assert (names, pairs.sum()) == (["early"], 2)
    assert shared_pairs({"new": at()})[0] == []


def test_a_failed_search_is_counted_named_and_told(made_up, tmp_path: Path) -> None:
    def is_lost(row):
        return row["trial_id"] == "kd-5.0-0-1"

    small = {"scales": (1.0,), "augmentations": ("none",), "seeds": 2, "searches": (WHOLE,)}
    made_up(**small, absent=is_lost).write(tmp_path)
    [row] = filter(is_lost, made_up(**small).rows())
    identity = {k: row[k] for k in list(row)[: list(row).index("tau_s_last")]}
    write_failure(tmp_path, identity | {"status": "failed", "name": "it", "error": "no"})
    summary = summarise(tmp_path)
    inventory = summary.inventory
    assert (inventory.planned, inventory.finished, inventory.failed) == (18, 17, 1)
    assert [failure.name for failure in inventory.failures] == ["it"]
    told = " ".join(summary.verdict.sentences)
    assert "Finished: 17 of 18 planned trials, 1 failed." in told


def test_a_stopped_trial_is_finished_and_not_failed(made_up) -> None:
    study = made_up(searches=(HALVED,))
    inventory = make_inventory(table_of(study))
    assert inventory.failed == 0
    # 2.0 is the grid's; 3.0 is one trial for each place where it stopped, 9.0 another.
    assert inventory.finished == inventory.planned == 96 + 16 * 4


@pytest.mark.parametrize("lost", [0, 7, 3])
def test_older_stores_are_read_as_if_all_segments_were_listed(made_up, lost) -> None:
    """Until 2026-11 the runs of ce, fixed, grid and meta stood in no table of segments."""

    def is_absent(row):
        return bool(lost) and zlib.crc32(row["trial_id"].encode()) % lost == 0

    study = made_up(searches=(WHOLE, HALVED_TOO), teachers=("big", "bigger"), absent=is_absent)
    older, newer = (table_of(replace(study, lists_all=lists_all)) for lists_all in (False, True))
    for name in study.strategies:
        one, two = older.runs(name).padded(4), newer.runs(name).padded(4)
        for field in ("row", "complete", "test_acc_last", "step_equivalents"):
            assert np.array_equal(getattr(one, field), getattr(two, field), equal_nan=True)
    grid = older.runs("grid")
    assert grid.complete.all() == (lost == 0)


def test_a_segment_of_nothing_is_padded_and_left_out(made_up) -> None:
    table = table_of(made_up(absent=lambda row: row["method"] == "kd"))
    grid = choose(table)
    assert grid is not None
    assert grid.size == 4
    assert not grid.complete.any()
    assert np.isnan(grid.best_of(4)).all()
    assert (table.runs("grid").best_row() == -1).all()

"""Each teacher alone, what each part of the method does, and that one-teacher runs are found."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_ensemble import ENSEMBLE, TEACHERS, ensemble_study, levels
from made_up_study import MadeUpSearch, MadeUpSegment
from verdict_words import results_from

from metakd.analysis.comparison import Pair, found_at_equal_cost
from metakd.analysis.costs import costs_of, plain_cost
from metakd.analysis.grid import choose
from metakd.analysis.inventory import make_inventory
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.questions.analysis import pair_of
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.statistics.claims import holm
from metakd.analysis.statistics.intervals import LEVEL
from metakd.analysis.table import make_table
from metakd.analysis.teachers import member_labels, members
from metakd.results.teacher_scores import TeacherScore

MMKD = Pair("mmkd", "mean_losses")


def table_of(study):
    return make_table(study.record(), tuple(study.rows()), study.search_rows())


def answered(study, pair=MMKD):
    results = replace(results_from(study), pair=pair)
    return QUESTIONS["multi_teacher"].analysis.answer(results, LEVEL)


def test_runs_of_one_teacher_are_found_through_the_strategy_that_asked_for_them() -> None:
    study = ensemble_study("single", "mmkd", strategies=())
    table = table_of(study)
    assert {row["teacher"] for row in table.rows} == {*TEACHERS, ENSEMBLE}
    single = table.runs("single")
    assert single.complete.all()
    # Validation chooses among the three, and all of them are charged.
    for setting, seed in single.cells():
        alone = {"seed": seed} | table.settings[setting]
        alone.pop("teacher")
        runs = [row for row in table.rows if alone.items() <= row.items()]
        runs = [row for row in runs if row["teacher"] in TEACHERS]
        assert len(runs) == len(TEACHERS)
        best = max(runs, key=lambda row: row["val_acc_last"])
        assert single.best("test_acc_last")[setting, seed] == best["test_acc_last"]
    assert single.total("step_equivalents") == pytest.approx(np.full((4, 4), 300.0))
    inventory = make_inventory(table)
    assert (inventory.complete_pairs, inventory.planned_pairs) == (16, 16)
    assert inventory.finished == inventory.planned == 4 * 4 * 4


def test_sizes_are_known_from_single_teachers_alone() -> None:
    assert table_of(ensemble_study("single", strategies=())).train_samples == (100, 100, 1000, 1000)


def test_a_run_of_a_single_teacher_is_what_a_plain_run_costs() -> None:
    study = ensemble_study("single", "mmkd", strategies=())
    assert plain_cost(table_of(study), "step_equivalents") == pytest.approx([100.0] * 4)
    nothing = table_of(ensemble_study("mmkd", strategies=()))
    assert costs_of(nothing).runs("mmkd") == pytest.approx(1.0)
    costs = costs_of(table_of(study))
    assert costs.runs("single") == pytest.approx(3.0)
    assert costs.runs("mmkd") == pytest.approx(1.5)


def test_at_equal_cost_the_learners_own_cost_counts() -> None:
    """MMKD costs 1.5 runs: two of the three teachers have been tried by then."""
    study = ensemble_study("single", "mmkd", accuracy=levels(0.0))
    table = table_of(study)
    reached = reached_by_strategy(table, choose(table))
    single = table.runs("single")
    two = found_at_equal_cost(single, costs_of(table), "mmkd")
    # The second teacher's student is the best of the first two, and of all.
    assert two == pytest.approx(reached["single"].test_last)
    dear = ensemble_study("single", "mmkd", accuracy=levels(0.0), costs={"mmkd": 0.9})
    table = table_of(dear)
    reached = reached_by_strategy(table, None)
    single = table.runs("single")
    one = found_at_equal_cost(single, costs_of(table), "mmkd")
    assert 100 * (reached["single"].test_last - one) == pytest.approx(np.full((4, 4), 0.5))


def test_each_teacher_alone_by_hand() -> None:
    found = answered(ensemble_study("single", "mmkd", accuracy=levels(0.0))).teachers
    assert [each.name for each in found] == list(TEACHERS)
    assert [each.parameters for each in found] == [10**4, 10**5, 10**6]
    assert [each.own_test_pp for each in found] == pytest.approx([93.0, 94.0, 95.0])
    assert [each.own_val_pp for each in found] == pytest.approx([94.0, 95.0, 96.0])
    # Without luck of their own every run of the second teacher is best.
    assert [each.chosen for each in found] == [0.0, 1.0, 0.0]
    gaps = [each.learned_minus for each in found]
    assert [gap.mean_pp for gap in gaps] == pytest.approx([1.9, 1.4, 1.6])
    assert all(gap.high_pp - gap.low_pp == pytest.approx(0.0, abs=1e-9) for gap in gaps)
    # The students' own accuracies differ between settings, and their intervals say so.
    assert found[0].student.mean_pp == pytest.approx(found[1].student.mean_pp - 0.5)
    assert found[0].student.high_pp - found[0].student.low_pp > 1.0


def test_an_unfinished_search_still_shows_what_its_teachers_reached() -> None:
    study = ensemble_study("single", "mmkd", absent=lambda row: row["teacher"] == TEACHERS[2])
    small, _, large = answered(study).teachers
    assert small.student.pairs == small.learned_minus.pairs == 16
    assert large.student.mean_pp is large.chosen is small.chosen is None


def test_what_is_not_known_of_teachers_is_left_open() -> None:
    other = TeacherScore("another dataset", TEACHERS[0], 5, 0.5, 0.5)
    first, *_ = answered(ensemble_study("single", "mmkd", teacher_scores=(other,))).teachers
    assert first.parameters is first.own_val_pp is first.own_test_pp is None
    assert first.student.pairs == 16
    assert answered(ensemble_study("mean_losses", "mmkd")).teachers == ()


def test_a_model_that_stands_there_again_is_its_second() -> None:
    assert members("a+a+b") == ("a", "a", "b")
    assert member_labels("a+a+b") == ("a", "a (2)", "b")
    assert members(None) == member_labels(None) == ()
    twice = MadeUpSearch(
        "single",
        (
            MadeUpSegment(4.0, "kd small_net", teacher="a"),
            MadeUpSegment(3.0, "kd large_net", teacher="a"),
        ),
    )
    study = ensemble_study(
        teachers=("a+a",), searches=(twice,),
        teacher_scores=tuple(
            TeacherScore("digits", "a", 7, 0.9, at, seed) for seed, at in ((1, 0.7), (0, 0.8))
        ),
    )  # fmt: skip
    first, second = answered(study).teachers
    assert (first.name, second.name) == ("a", "a (2)")
    assert (first.own_test_pp, second.own_test_pp) == pytest.approx((80.0, 70.0))
    assert second.student.mean_pp > first.student.mean_pp


def test_ensembles_beside_each_other_share_their_single_teachers() -> None:
    study = ensemble_study("mmkd", teachers=("a+b", "a+b+c"), strategies=())
    table = table_of(study)
    assert table.keys[:2] == ("10 % · none · a+b", "10 % · none · a+b+c")
    assert {row["teacher"] for row in table.rows} == {"a+b", "a+b+c"}


def test_parts_are_told_by_strategies_that_differ_in_one() -> None:
    found = answered(ensemble_study()).parts
    told = {(part.part, part.having, part.lacking): part for part in found}
    weights = told["weights", "mmkd-logits", "mean_losses"]
    assert weights.effect.mean_pp == pytest.approx(0.8, abs=0.15)
    assert weights.claim == "ahead"
    features = told["features", "mean_features", "mean_losses"]
    assert features.claim == "no clear gap"
    assert [part.p_holm for part in found] == holm([part.p_value for part in found])
    # Learned temperatures alone match no features.
    assert ("temperatures", "mmkd-tau", "mean_losses") in told
    few = answered(ensemble_study("mmkd", "mean_losses")).parts
    assert few == ()


@pytest.mark.parametrize(
    ("strategies", "pair"),
    [
        (("mean_losses", "mmkd", "camkd"), Pair("mmkd", "mean_losses")),
        (("camkd", "mean_logits", "mmkd"), Pair("mmkd", "mean_logits")),
        (("single", "mmkd-tau", "mmkd-logits"), Pair("mmkd-logits", "single")),
        (("mmkd-reference", "mmkd-tau", "mmkd+tau"), Pair("mmkd+tau", "ce")),
        (("mean_losses", "single"), Pair("mmkd", "mean_losses")),
    ],
)
def test_who_is_compared_with_whom(strategies, pair) -> None:
    table = table_of(ensemble_study(*strategies))
    found = pair_of(QUESTIONS["multi_teacher"], table.strategies, reached_by_strategy(table, None))
    assert found == pair
    assert pair_of(QUESTIONS["transfer"], table.strategies, {}) == Pair("meta", "grid")


def test_a_baseline_without_a_pair_is_not_the_main_one() -> None:
    study = ensemble_study(
        "mean_losses", "camkd", "mmkd", absent=lambda row: row["method"] == "mean_losses"
    )
    table = table_of(study)
    found = pair_of(QUESTIONS["multi_teacher"], table.strategies, reached_by_strategy(table, None))
    assert found.baseline == "camkd"

from dataclasses import replace

import numpy as np
import pytest
from verdict_words import results_from

from metakd.analysis.questions.analysis import results_of
from metakd.analysis.questions.gap_numbers import best_before_last, drop, level_gaps
from metakd.analysis.statistics.claims import crossed_p_value
from metakd.analysis.statistics.intervals import crossed_interval
from metakd.analysis.table import make_table
from metakd.results.teacher_scores import TeacherScore

TEACHERS = ("t0", "t1", "t2", "t3")
SIMULATIONS = 300


def teacher_study(made_up, **changes):
    usual = {"scales": (1.0,), "augmentations": ("none",), "teachers": TEACHERS, "seeds": 6}
    return made_up(**(usual | changes))


def gaps_of(study):
    """Returns the gaps along teachers, then along augmentations."""
    results = results_from(study)
    found = [level_gaps(results, factor) for factor in ("teacher", "augmentation")]
    return [gap for gaps in found if gaps is not None for gap in gaps.by_measure]


def scored(*accuracies, dataset="digits"):
    return tuple(
        TeacherScore(dataset, name, 1000 * (index + 1), accuracy, accuracy - 0.01)
        for index, (name, accuracy) in enumerate(zip(TEACHERS, accuracies, strict=False))
    )


def noise(method, setting, seed):
    code = {"ce": 1, "kd": 2, "mkd": 3}[method]
    return np.random.default_rng([setting, seed, code]).normal(0, 0.0002)


def hump(method, tau, setting, seed):
    """The third teacher is best at the default, the last the worst; learning is level."""
    level = (0.0, 0.01, 0.02, -0.01)[setting % 4] if method == "kd" else 0.015
    return 0.9 + level, 0.9 + level + noise(method, setting, seed)


def test_the_drop_is_from_validations_best_to_the_last(made_up) -> None:
    [gap] = gaps_of(teacher_study(made_up, accuracy=hump))
    assert (gap.factor, gap.measure, gap.order) == ("teacher", "accuracy", "study")
    assert [level.name for level in gap.levels] == list(TEACHERS)
    assert (gap.chosen, gap.reference) == ("t2", "fixed")
    assert gap.confidence == pytest.approx(1 - 0.05 / 3)
    fixed, grid, meta = gap.strategies
    assert [each.strategy for each in gap.strategies] == ["fixed", "grid", "meta"]
    assert fixed.drop.mean_pp == pytest.approx(3.0, abs=0.05)
    assert np.mean(fixed.cells_pp) == pytest.approx(fixed.drop.mean_pp)
    assert fixed.by_held == (fixed.drop,)
    assert [level.mean_pp for level in fixed.by_level] == pytest.approx([90, 91, 92, 89], abs=0.05)
    assert fixed.trend.mean_pp == pytest.approx(np.polyfit(range(4), [0, 1, 2, -1], 1)[0], abs=0.05)
    assert (fixed.verdict, fixed.mended, fixed.mending) == ("there", None, None)
    assert meta.drop.mean_pp == pytest.approx(0.0, abs=0.05)
    assert meta.mending.mean_pp == pytest.approx(3.0, abs=0.05)
    assert (meta.verdict, meta.mended) == ("not shown", "mended")
    # Every temperature of the grid suffers alike.
    assert grid.mended == "not shown to be reduced"
    assert {each.at_last for each in gap.strategies} == {None}


def test_intervals_and_p_are_corrected_for_the_choice(made_up) -> None:
    study = teacher_study(made_up, scales=(0.1, 0.5, 1.0))
    [gap] = gaps_of(study)
    [wider] = gaps_of(replace(study, teachers=("t0", "t3")))
    assert wider.confidence == pytest.approx(0.95)
    for each in gap.strategies:
        cells = np.array(each.cells_pp, dtype=float)
        assert each.drop == crossed_interval(cells, 1 - 0.05 / 3)
        usual = crossed_interval(cells)
        assert each.drop.high_pp - each.drop.low_pp > usual.high_pp - usual.low_pp


def test_the_reverse_is_said_where_the_last_is_best(made_up) -> None:
    def rising(method, tau, setting, seed):
        return 0.9 + setting / 100, 0.9 + setting / 100 + noise(method, setting, seed)

    [gap] = gaps_of(teacher_study(made_up, accuracy=rising))
    assert gap.chosen == "t2"
    assert {each.verdict for each in gap.strategies} == {"the reverse"}
    assert {each.mended for each in gap.strategies[1:]} == {"nothing to mend"}


def test_teachers_stand_in_the_order_of_their_own_accuracy(made_up) -> None:
    scores = scored(0.9, 0.95, 0.92, 0.9)
    # One that an ensemble has beside the first of its name is no level.
    scores = (*scores, replace(scores[1], seed=1, val_acc=0.1, test_acc=0.1))
    [gap] = gaps_of(teacher_study(made_up, accuracy=hump, teacher_scores=scores))
    assert gap.order == "teacher accuracy"
    # Equal ones keep the study's order.
    assert [level.name for level in gap.levels] == ["t0", "t3", "t2", "t1"]
    assert [level.parameters for level in gap.levels] == [1000, 4000, 3000, 2000]
    assert gap.levels[-1].val_pp == pytest.approx(95)
    assert gap.levels[-1].test_pp == pytest.approx(94)
    assert gap.chosen == "t2"
    assert gap.strategies[0].drop.mean_pp == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    "scores", [(), scored(0.9, 0.95), scored(0.9, 0.95, 0.92, 0.9, dataset="another")]
)
def test_without_all_their_accuracies_the_studys_order_stays(made_up, scores) -> None:
    [gap] = gaps_of(teacher_study(made_up, accuracy=hump, teacher_scores=scores))
    assert gap.order == "study"
    assert [level.name for level in gap.levels] == list(TEACHERS)


def test_accuracies_on_several_datasets_are_averaged(made_up) -> None:
    both = scored(0.9, 0.8, 0.7, 0.6) + scored(0.1, 0.3, 0.5, 0.7, dataset="letters")
    study = teacher_study(made_up, datasets=("digits", "letters"), teacher_scores=both)
    [gap] = gaps_of(study)
    assert [level.val_pp for level in gap.levels] == pytest.approx([50, 55, 60, 65])
    assert gap.held == ("digits, 100 % of the data", "letters, 100 % of the data")


def with_gains(method, tau, setting, seed):
    """Augmentation costs the student 2 points a step; distillation gains 3, then loses 1."""
    gain = {"ce": 0.0, "kd": (0.03, 0.03, -0.01)[setting % 3], "mkd": 0.03}[method]
    test = 0.9 - 0.02 * (setting % 3) + gain + noise(method, setting, seed)
    return 0.9 + gain, test


def test_along_augmentations_gains_are_told_from_losses_without_a_teacher(made_up) -> None:
    names = ("none", "some", "strong")
    study = made_up(scales=(1.0,), augmentations=names, seeds=6, accuracy=with_gains)
    accuracy, gain = gaps_of(study)
    assert (accuracy.measure, gain.measure) == ("accuracy", "gain")
    by_name = {each.strategy: each for each in accuracy.strategies}
    assert by_name["ce"].drop.mean_pp == pytest.approx(4.0, abs=0.05)
    assert by_name["fixed"].drop.mean_pp == pytest.approx(8.0, abs=0.05)
    by_name = {each.strategy: each for each in gain.strategies}
    assert list(by_name) == ["fixed", "grid", "meta"]
    reached = [level.mean_pp for level in by_name["fixed"].by_level]
    assert reached == pytest.approx([3, 3, -1], abs=0.05)
    assert by_name["fixed"].drop.mean_pp == pytest.approx(4.0, abs=0.05)
    assert (by_name["fixed"].at_last, by_name["meta"].at_last) == ("harm", "gain")
    assert by_name["meta"].mended == "mended"
    without = gaps_of(replace(study, strategies=("fixed", "meta")))
    assert [gap.measure for gap in without] == ["accuracy"]


def test_the_drop_is_judged_by_itself_and_what_strategies_mend_together(made_up) -> None:
    [gap] = gaps_of(teacher_study(made_up, seeds=4))
    [fewer] = gaps_of(teacher_study(made_up, seeds=4, strategies=("fixed", "meta")))
    [alone] = gaps_of(teacher_study(made_up, seeds=4, strategies=("fixed",)))
    by_name = {each.strategy: each for each in gap.strategies}
    [fixed, meta] = fewer.strategies
    assert by_name["fixed"].drop_p == fixed.drop_p == alone.strategies[0].drop_p
    assert by_name["meta"].mending_p >= meta.mending_p
    assert by_name["meta"].drop_p >= meta.drop_p


def test_nothing_is_claimed_from_one_seed_or_one_level(made_up) -> None:
    [gap] = gaps_of(teacher_study(made_up, seeds=1, accuracy=hump))
    assert {each.verdict for each in gap.strategies} == {"not shown"}
    assert {each.drop.low_pp for each in gap.strategies} == {None}
    assert gaps_of(teacher_study(made_up, teachers=("t0",))) == []


def test_nothing_is_made_up_for_what_did_not_run(made_up) -> None:
    assert gaps_of(teacher_study(made_up, strategies=("grid", "meta"))) == []
    assert gaps_of(teacher_study(made_up, absent=lambda row: row["teacher"] == "t1")) == []
    [gap] = gaps_of(teacher_study(made_up, absent=lambda row: row["method"] == "mkd"))
    assert [each.strategy for each in gap.strategies] == ["fixed", "grid"]

    def lost(row):
        return (row["method"], row["teacher"], row["seed"]) == ("mkd", "t3", 2)

    [gap] = gaps_of(teacher_study(made_up, absent=lost))
    meta = gap.strategies[-1]
    assert [value is None for value in meta.cells_pp[0]] == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]
    assert (meta.drop.pairs, meta.mending.pairs) == (5, 5)


def claims(made_up, luck, held, seeds=5, levels=4):
    """How often equal levels are said to differ, and equal strategies to mend.

    ``luck`` is the share of a run's variance that its validation and test accuracy share.
    """
    study = teacher_study(
        made_up, teachers=tuple(f"t{n}" for n in range(levels)), seeds=seeds,
        scales=tuple(np.linspace(0.1, 1, held)), strategies=("fixed", "meta"),
    )  # fmt: skip
    table = make_table(study.record(), tuple(study.rows()))
    random = np.random.default_rng(1)
    verdicts, mendings = [], 0

    def drawn(runs):
        shared = random.normal(0, luck**0.5, table.shape)
        val, test = (shared + random.normal(0, (1 - luck) ** 0.5, table.shape) for _ in range(2))
        return replace(runs, val_acc_last=val[None] / 100, test_acc_last=test[None] / 100)

    for _ in range(SIMULATIONS):
        runs = tuple(map(drawn, table.strategy_runs))
        [gap] = level_gaps(
            results_of("teacher_gap", replace(table, strategy_runs=runs), ()), "teacher"
        ).by_measure
        fixed, meta = gap.strategies
        verdicts.append(fixed.verdict)
        mendings += meta.mending_p < 0.05
    return {
        "there": verdicts.count("there") / SIMULATIONS,
        "the reverse": verdicts.count("the reverse") / SIMULATIONS,
        "mended": mendings / SIMULATIONS,
    }


@pytest.mark.parametrize("luck", [0.0, 0.9])
def test_equal_levels_are_seldom_said_to_differ(made_up, luck) -> None:
    found = claims(made_up, luck, held=1)
    assert found["there"] + found["the reverse"] <= 0.05
    assert found["mended"] <= 0.05


@pytest.mark.parametrize("held", [1, 4])
@pytest.mark.parametrize("levels", [2, 4, 7])
def test_the_correction_holds_whatever_the_choice_saw(levels, held) -> None:
    random = np.random.default_rng(2)
    uncorrected, corrected = [], []
    for _ in range(800):
        luck = random.normal(0, 0.9**0.5, (levels, held, 5))
        val, test = (luck + random.normal(0, 0.1**0.5, luck.shape) for _ in range(2))
        drops = drop(test, best_before_last(val))
        p = crossed_p_value(drops)
        uncorrected.append(p < 0.05)
        corrected.append((levels - 1) * p < 0.05)
    assert np.mean(corrected) <= 0.06
    if (levels, held) == (7, 1):
        # Without it a lucky level would be chosen, and claimed, too often.
        assert np.mean(uncorrected) > 0.07


def test_the_interval_covers_the_drop_of_whichever_level_was_chosen() -> None:
    random = np.random.default_rng(4)
    truth = np.array([0.0, 0.3, 0.4, 0.2, 0.0])[:, None, None]
    covered = []
    for _ in range(800):
        luck = truth + random.normal(0, 0.9, (5, 1, 5))
        val, test = (luck + random.normal(0, 0.4, luck.shape) for _ in range(2))
        chosen = best_before_last(val)
        interval = crossed_interval(drop(test, chosen), 1 - 0.05 / 4)
        covered.append(interval.low_pp <= truth[chosen, 0, 0] <= interval.high_pp)
    assert np.mean(covered) >= 0.95

import numpy as np
import pytest

from metakd.analysis.figures.degradations import DegradationCurve, degradation_curves, level_changes
from metakd.analysis.grid import choose
from metakd.analysis.statistics.intervals import paired_interval
from metakd.analysis.table import make_table
from metakd.results.teacher_scores import TeacherScore


def curves_of(study):
    table = make_table(study.record(), tuple(study.rows()))
    return degradation_curves(table, choose(table))


def test_augmentations_are_followed_at_each_scale(made_up) -> None:
    def accuracy(method, tau, setting, seed):
        return 0.9, 0.9 - 0.1 * (setting % 2) + 0.01 * seed

    curves = curves_of(made_up(accuracy=accuracy, augmentations=("strong", "none")))
    assert {(curve.factor, curve.held) for curve in curves} == {
        ("augmentation", "10 % of the data"),
        ("augmentation", "100 % of the data"),
    }
    assert [curve.strategy for curve in curves] == [
        name for name in ("ce", "fixed", "grid", "meta") for _ in range(2)
    ]
    band = paired_interval(np.array([90.0, 91.0, 92.0, 93.0]))
    for curve in curves:
        assert curve.levels == ("strong", "none")
        assert curve.mean_pp == pytest.approx((91.5, 81.5))
        assert (curve.low_pp[0], curve.high_pp[0]) == pytest.approx((band.low_pp, band.high_pp))


def test_teachers_are_followed_in_every_setting(made_up) -> None:
    def accuracy(method, tau, setting, seed):
        return 0.9, 0.8 if method == "ce" else 0.85 + 0.05 * (setting % 2)

    study = made_up(scales=(1.0,), teachers=("small", "large"), accuracy=accuracy)
    by_teacher = {
        (curve.held, curve.strategy): curve
        for curve in curves_of(study)
        if curve.factor == "teacher"
    }
    assert len(by_teacher) == 2 * 4
    for held in ("100 % of the data, none", "100 % of the data, strong"):
        assert by_teacher[held, "meta"].levels == ("small", "large")
        assert by_teacher[held, "meta"].mean_pp == pytest.approx((85, 90))
        # Without a teacher it is the same run beside both.
        assert by_teacher[held, "ce"].mean_pp == pytest.approx((80, 80))


def test_a_level_without_runs_is_none_and_few_seeds_have_no_band(made_up) -> None:
    study = made_up(
        scales=(1.0,), seeds=2, strategies=("meta",),
        absent=lambda row: row["augmentation"] == "strong",
    )  # fmt: skip
    [curve] = curves_of(study)
    assert curve.mean_pp[0] is not None
    assert curve.mean_pp[1] is None
    assert curve.low_pp == curve.high_pp == (None, None)


def test_a_band_stays_inside_what_an_accuracy_can_be(made_up) -> None:
    study = made_up(scales=(1.0,), accuracy=lambda m, t, s, seed: (0.5, (0.0, 1.0)[seed % 2]))
    for curve in curves_of(study):
        assert (set(curve.low_pp), set(curve.high_pp)) == ({0.0}, {100.0})


def test_one_level_or_no_runs_have_no_curve(made_up) -> None:
    assert curves_of(made_up(augmentations=("none",))) == ()
    assert curves_of(made_up(absent=lambda row: True)) == ()


def test_better_teachers_come_later(made_up) -> None:
    study = made_up(scales=(1.0,), teachers=("best", "worst", "middle"))
    table, scores = make_table(study.record(), tuple(study.rows())), (0.9, 0.7, 0.8)
    teachers = [
        TeacherScore("digits", name, 10, score, score)
        for name, score in zip(study.teachers, scores, strict=True)
    ]
    grid = choose(table)
    given = [c for c in degradation_curves(table, grid) if c.factor == "teacher"]
    ordered = [c for c in degradation_curves(table, grid, teachers) if c.factor == "teacher"]
    for before, after in zip(given, ordered, strict=True):
        assert after.levels == ("worst", "middle", "best")
        best, worst, middle = before.mean_pp
        assert after.mean_pp == (worst, middle, best)
        if best is not None and worst is not None:
            assert after.change_pp == best - worst


def test_changes_are_the_range_of_those_that_are_known() -> None:
    def curve(factor, strategy, change):
        return DegradationCurve(factor, "all", strategy, (), (), "study", (), (), (), change)

    changes = level_changes(
        [
            curve("teacher", "grid", 1.0),
            curve("teacher", "grid", -1.5),
            curve("teacher", "grid", None),
            curve("augmentation", "grid", 2.0),
            curve("teacher", "meta", None),
        ]
    )
    assert [(c.factor, c.strategy, c.low_pp, c.high_pp) for c in changes] == [
        ("teacher", "grid", -1.5, 1.0),
        ("augmentation", "grid", 2.0, 2.0),
    ]

import numpy as np
import pytest

from metakd.analysis.degradation import degradation_curves
from metakd.analysis.grid import choose
from metakd.analysis.intervals import paired_interval
from metakd.analysis.table import make_table


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

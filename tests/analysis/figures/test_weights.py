"""The weights of teachers: averaged as they should be, and judged with no more than they show."""

from pathlib import Path

import numpy as np
import pytest
from made_up_ensemble import ENSEMBLE, TEACHERS, WEIGHED, ensemble_study

from metakd.analysis.figures import logged_steps
from metakd.analysis.figures.logged_weights import LoggedWeights, at_the_end, read_weights
from metakd.analysis.figures.weights import band, final_weights, shares, teacher_weights
from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.analysis.table import read_table
from metakd.results.compaction import compact
from metakd.results.study import read_study

FEW = {"scales": (1.0,), "augmentations": ("none",), "seeds": 3}


def lines(*entries) -> LoggedWeights:
    """Lines of (run, epoch, group, samples, weights)."""
    row, epoch, group, samples, weights = zip(*entries, strict=True)
    return LoggedWeights(
        np.array(row), np.array(epoch), np.zeros(len(row), np.intp), np.array(group),
        np.array(samples, float), np.array(weights),
    )  # fmt: skip


def entry(among, samples, *weights, of="logits"):
    return {"of": of, "among": among, "samples": samples, "weights": list(weights)}


def weights_of(study, out: Path):
    study.write(out)
    return teacher_weights(out, read_table(out, read_study(out)))


def test_means_count_samples() -> None:
    logged = lines(
        (7, 0, 0, 10, [0.9, 0.1]), (7, 0, 0, 30, [0.5, 0.5]), (7, 1, 2, 5, [0.2, 0.8]),
        (9, 0, 0, 1, [1.0, 0.0]), (4, 0, 0, 1, [0.0, 1.0]),
    )  # fmt: skip
    found = shares(logged, np.array([7, -1, 9]), 2, np.array([0, 1]))
    assert found.shape == (3, 2, 3, 2)
    assert found[0, 0, 0] == pytest.approx([60.0, 40.0])
    assert found[0, 0, 2] == pytest.approx([100.0, 0.0])
    assert found[2, 1, 0] == pytest.approx([20.0, 80.0])
    # No samples, no mean; and run 4 was not asked for.
    assert np.isnan(found[0, 1]).all()
    assert np.isnan(found[:, :, 1]).all()
    assert np.isnan(found[1]).all()
    together = shares(logged, np.array([7]), 2, None)
    assert together[0, 0, 0] == pytest.approx([60.0, 40.0])


@pytest.mark.parametrize(("epochs", "last"), [(1, 1), (9, 1), (11, 2), (20, 2), (100, 10)])
def test_the_end_is_the_last_tenth_of_each_runs_epochs(epochs, last) -> None:
    row = np.array([0] * epochs + [1])
    epoch = np.array([*range(epochs), 0])
    ended = at_the_end(row, epoch)
    assert ended[:epochs].sum() == last
    assert ended[epochs - last : epochs].all()
    assert ended[epochs]


def test_bands_are_t_intervals_over_seeds() -> None:
    values = np.array([[[30.0, 70.0], [40.0, 60.0], [50.0, 50.0]]])
    found = band(values)
    assert found.mean_pp == ((40.0,), (60.0,))
    # 4.303 is the t of two degrees of freedom.
    assert found.high_pp[0][0] == pytest.approx(40 + 4.3027 * 10 / 3**0.5, rel=1e-4)
    assert found.low_pp[1][0] == pytest.approx(60 - 4.3027 * 10 / 3**0.5, rel=1e-4)
    two = band(np.array([[[30.0], [np.nan], [50.0]], [[np.nan]] * 3]))
    assert two.mean_pp == ((40.0, None),)
    assert two.low_pp == two.high_pp == ((None, None),)


def test_hand_made_curves_are_read_back(tmp_path: Path) -> None:
    def weights(row, epoch):
        if row["method"] != "mmkd":
            return None
        first = 0.5 + 0.1 * epoch + 0.01 * (row["seed"] - 1)
        return [
            entry("all", 40, first, 0.5 - first / 2, 0.5 - first / 2),
            *([entry("right", 30, 0.6, 0.2, 0.2), entry("wrong", 10, 0.2, 0.2, 0.6)] * (epoch < 3)),
            entry("class 0", 20, 0.2, 0.4, 0.4),
            entry("class 2", 20, 0.8, 0.1, 0.1),
            entry("odd", 5, 1.0, 0.0, 0.0),
            entry("all", 40, 1 / 3, 1 / 3, 1 / 3, of="features"),
        ]

    study = ensemble_study("mmkd", "mean_losses", "single", weights=weights, **FEW)
    (curve, features), (end, even) = weights_of(study, tmp_path)
    assert (curve.strategy, curve.of, features.of) == ("mmkd", "logits", "features")
    assert (curve.key, curve.teachers, curve.seeds) == ("100 % · none", TEACHERS, 3)
    assert curve.epochs == (0, 1, 2, 3)
    assert curve.overall.mean_pp[0] == pytest.approx((50, 60, 70, 80), abs=1e-3)
    assert curve.overall.mean_pp[1] == pytest.approx((25, 20, 15, 10), abs=1e-3)
    assert curve.overall.low_pp[0][0] == pytest.approx(50 - 4.3027 / 3**0.5, abs=1e-3)
    # In the last epoch the student gets nothing wrong.
    assert curve.right_pp[0] == (pytest.approx(60.0), pytest.approx(60.0), pytest.approx(60), None)
    assert curve.wrong_minus_right.mean_pp[2] == (*[pytest.approx(40.0, abs=1e-3)] * 3, None)
    assert (end.dataset, end.ensemble, end.settings) == ("digits", ENSEMBLE, 1)
    assert (end.epochs, end.classes) == (1, (0, 2))
    first, second, third = end.teachers
    assert first.overall.mean_pp == pytest.approx(80.0, abs=1e-3)
    assert first.preference.mean_pp == pytest.approx(80 - 100 / 3, abs=1e-3)
    assert [each.preferred for each in end.teachers] == ["above", "below", "below"]
    assert first.by_class_pp == pytest.approx((20.0, 80.0), abs=1e-3)
    assert third.wrong.mean_pp is first.wrong_minus_right.mean_pp is None
    assert first.leaning == "not shown"
    assert second.class_leaning[0] == "above"
    # Thirds in float32 are no preference.
    assert [each.preferred for each in even.teachers] == ["not shown"] * 3
    assert even.teachers[0].preference.mean_pp == pytest.approx(0.0, abs=1e-4)


def test_all_strategies_that_weigh_are_there_and_survive_the_disk(tmp_path: Path) -> None:
    out = ensemble_study(scales=(1.0,), augmentations=("none", "strong")).write(tmp_path)
    summary = summarise(out)
    told = [(found.strategy, found.of) for found in summary.final_weights]
    assert sorted(told) == sorted((name, of) for name, parts in WEIGHED.items() for of in parts)
    assert len(summary.weights) == 2 * len(told)
    write_summary(out, summary)
    again = read_summary(out)
    assert [c.key for c in again.weights] == [c.key for c in summary.weights]
    by_class = again.final_weights[0].teachers[0].by_class_pp
    assert by_class[3] == min(by_class) < by_class[0] - 15
    # Packed files say the same.
    compact(out)
    packed = summarise(out)
    assert packed.weights == summary.weights
    assert packed.final_weights == summary.final_weights


def test_only_runs_of_several_teachers_and_one_column_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ensemble_study("single", "mmkd", "mean_losses", **FEW).write(tmp_path)
    table = read_table(out, read_study(out))
    asked = []
    read_steps = logged_steps.read_steps

    def reading(out, ids, columns):
        asked.append((ids, columns))
        return read_steps(out, ids, columns)

    monkeypatch.setattr(logged_steps, "read_steps", reading)
    curves, _ = teacher_weights(out, table)
    assert {curve.strategy for curve in curves} == {"mmkd"}
    assert {columns for _, columns in asked} == {("epoch", "teacher_weights")}
    several = {r["trial_id"] for r in table.rows if r["teacher"] == ENSEMBLE}
    assert set().union(*(ids for ids, _ in asked)) == several
    asked.clear()
    plain = read_table(out, read_study(ensemble_study("single", **FEW).write(tmp_path / "plain")))
    assert teacher_weights(tmp_path / "plain", plain) == ((), ())
    assert asked == []


def test_many_epochs_are_thinned_and_classes_kept_for_the_end_alone(tmp_path: Path) -> None:
    out = ensemble_study("mmkd", **FEW).write(tmp_path)
    table = read_table(out, read_study(out))
    rows = [at for at, row in enumerate(table.rows) if row["method"] == "mmkd"]
    logged = read_weights(out, table.rows, rows)
    is_class = logged.group >= 3
    assert set(logged.epoch[is_class]) == {3}
    assert set(logged.epoch[~is_class]) == {0, 1, 2, 3}
    assert logged.weights.shape[1] == 3


def test_ensembles_of_other_sizes_stand_apart(tmp_path: Path) -> None:
    def weights(row, epoch):
        count = row["teacher"].count("+") + 1 if row["method"] == "mmkd" else 0
        return [entry("all", 10, *[1 / count] * count)] if count else None

    study = ensemble_study("mmkd", teachers=("a+b", "a+b+c"), strategies=(), weights=weights, **FEW)
    curves, ends = weights_of(study, tmp_path)
    assert [curve.teachers for curve in curves] == [("a", "b"), ("a", "b", "c")]
    assert [end.ensemble for end in ends] == ["a+b", "a+b+c"]
    assert curves[0].overall.mean_pp[0][0] == pytest.approx(50.0)


def test_equal_teachers_are_seldom_told_apart() -> None:
    """Seeds move all settings, settings move all seeds: at most 5 % of studies claim anything."""
    random = np.random.default_rng(1)
    claimed = np.zeros(2)
    studies = 300
    for _ in range(studies):
        by_group = {}
        luck = [random.normal(0, 2, shape) for shape in ((5, 1, 3), (1, 6, 3), (5, 6, 3))]
        for name in ("all", "right", "wrong"):
            weights = 100 / 3 + sum(luck) + random.normal(0, 1, (5, 6, 3))
            by_group[name] = weights - weights.mean(axis=-1, keepdims=True) + 100 / 3
        found = final_weights(("a", "b", "c"), by_group, np.empty((0, 5, 6, 3)))
        claimed += [
            any(each.preferred != "not shown" for each in found),
            any(each.leaning != "not shown" for each in found),
        ]
    assert (claimed / studies <= 0.05 + 0.03).all()

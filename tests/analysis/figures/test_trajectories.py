from pathlib import Path

import numpy as np
import pytest

from metakd.analysis.figures.logged_steps import LoggedSteps, epoch_ends
from metakd.analysis.figures.trajectories import trajectories
from metakd.analysis.table import make_table
from metakd.results.writer import finished_trial, write_trials


def table_of(study):
    return make_table(study.record(), tuple(study.rows()))


def test_the_last_step_of_an_epoch_counts() -> None:
    lines = LoggedSteps(
        row=np.array([0, 0, 0, 2]),
        step=np.array([1, 2, 3, 1]),
        columns={
            "epoch": np.array([0.0, 0.0, 1.0, 1.0]),
            "tau_s": np.array([1.0, 2.0, 3.0, 4.0]),
            "tau_t": np.array([2.0, 4.0, 6.0, 8.0]),
        },
    )
    epochs, curves = epoch_ends(lines, 3, ("tau_s", "tau_t"))
    assert epochs.tolist() == [0, 1]
    nan = np.nan
    assert np.array_equal(curves[0], [[2, 3], [nan, nan], [nan, 4]], equal_nan=True)
    assert np.array_equal(curves[1], 2 * curves[0], equal_nan=True)


def test_median_and_range_over_seeds(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), seeds=3)
    [found] = trajectories(study.write(tmp_path), table_of(study))
    assert (found.key, found.epochs) == ("100 % · none", (0, 1, 2, 3))
    assert found.tau_s_median == found.tau_s_low == found.tau_s_high == (4.0, 4.25, 4.5, 4.75)
    # Seeds 0, 1, 2 fall by 0, 1/4 and 1/2 an epoch.
    assert found.tau_t_high == (4.0, 4.0, 4.0, 4.0)
    assert found.tau_t_median == pytest.approx((4.0, 3.75, 3.5, 3.25))
    assert found.tau_t_low == pytest.approx((4.0, 3.5, 3.0, 2.5))


def test_steps_without_temperatures_are_passed_over(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none", "strong"), strategies=("meta",), seeds=2)
    study.write(tmp_path)
    for row in study.rows():
        if row["augmentation"] == "none":
            lines = [{"trial_id": row["trial_id"], "step": 1, "epoch": 0, "tau_s": 2.0}]
            write_trials(tmp_path, [finished_trial(row, lines)])
    assert [found.key for found in trajectories(tmp_path, table_of(study))] == ["100 % · strong"]


def test_long_trainings_are_thinned(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), strategies=("meta",), seeds=1)
    study.write(tmp_path)
    [row] = study.rows()
    lines = [
        {"trial_id": row["trial_id"], "step": e, "epoch": e, "tau_s": float(e), "tau_t": 1.0}
        for e in range(1001)
    ]
    write_trials(tmp_path, [finished_trial(row, lines)])
    [found] = trajectories(tmp_path, table_of(study))
    assert len(found.epochs) == len(found.tau_s_median) == 200
    assert (found.epochs[0], found.epochs[-1]) == (0, 1000)
    assert found.tau_s_median == found.epochs


@pytest.mark.parametrize("strategies", [("fixed",), ("meta",)])
def test_nothing_learned_or_logged_has_no_trajectory(made_up, tmp_path: Path, strategies) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), strategies=strategies)
    assert trajectories(tmp_path, table_of(study)) == ()

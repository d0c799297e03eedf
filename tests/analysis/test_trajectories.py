from pathlib import Path

import pytest

from metakd.analysis.table import make_table
from metakd.analysis.trajectories import epoch_ends, trajectories


def test_the_last_step_of_an_epoch_counts() -> None:
    steps = [
        {"trial_id": "a", "epoch": epoch, "tau_s": tau_s, "tau_t": 2 * tau_s}
        for epoch, tau_s in [(0, 1.0), (0, 2.0), (1, 3.0)]
    ]
    assert epoch_ends(steps) == {"a": {0: (2.0, 4.0), 1: (3.0, 6.0)}}


def test_steps_without_temperatures_are_passed_over() -> None:
    assert epoch_ends([{"trial_id": "a", "epoch": 0, "tau_s": None, "tau_t": 1.0}]) == {}


def test_median_and_range_over_seeds(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), seeds=3)
    record = study.record()
    table = make_table(record, tuple(study.rows()))
    [found] = trajectories(study.write(tmp_path), record, table)
    assert (found.key, found.epochs) == ("100 % · none", (0, 1, 2, 3))
    assert found.tau_s_median == found.tau_s_low == found.tau_s_high == (4.0, 4.25, 4.5, 4.75)
    # Seeds 0, 1, 2 fall by 0, 1/4 and 1/2 an epoch.
    assert found.tau_t_high == (4.0, 4.0, 4.0, 4.0)
    assert found.tau_t_median == pytest.approx((4.0, 3.75, 3.5, 3.25))
    assert found.tau_t_low == pytest.approx((4.0, 3.5, 3.0, 2.5))


def test_nothing_learned_has_no_trajectory(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), strategies=("fixed",))
    record = study.record()
    assert trajectories(tmp_path, record, make_table(record, tuple(study.rows()))) == ()

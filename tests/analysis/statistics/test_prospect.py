"""The chances of a decision, against whole studies that were simulated."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_schedules import SECONDS, SPREADS_PP, Settings, simulate

from metakd.analysis.statistics.looks import Schedule
from metakd.analysis.statistics.planning import Groups, chances, plausible_differences
from metakd.study.options import PILOTS

GROUPS = Groups(np.ones(9) / 9, SECONDS, SPREADS_PP**2, np.zeros(9, dtype=np.int64))
STUDIES = 2500


@pytest.mark.parametrize("truth", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("margin", [0.2, 0.3, 0.5])
def test_chances_are_those_of_whole_studies(truth: float, margin: float) -> None:
    schedule = Schedule(margin, 6, PILOTS)
    found, compute = chances(schedule, GROUPS, np.full(STUDIES, truth))
    studies = simulate(Settings(SPREADS_PP), schedule, STUDIES)
    _, seconds = studies.words(truth)
    assert compute == pytest.approx(studies.seconds)
    # The chances know the variances; a study estimates them from six pairs at first.
    simulated = [(seconds <= each).mean() for each in compute]
    assert found == pytest.approx(np.array(simulated), abs=0.08)


def test_chances_rise_with_the_looks_and_with_the_margin() -> None:
    rows = [
        chances(Schedule(each, 6, PILOTS), GROUPS, np.zeros(STUDIES))[0] for each in (0.2, 0.3, 0.5)
    ]
    for row in rows:
        assert (np.diff(row) >= 0).all()
    assert (np.diff(rows, axis=0) >= 0).all()
    assert rows[2][-1] > 0.99


def test_a_large_difference_is_soon_seen_and_a_tie_takes_longer() -> None:
    seen, _ = chances(Schedule(0.2, 6, PILOTS), GROUPS, np.full(STUDIES, 3.0))
    tie, _ = chances(Schedule(0.2, 6, PILOTS), GROUPS, np.zeros(STUDIES))
    assert seen[0] > 0.99
    assert tie[0] < 0.01


@pytest.mark.parametrize("taken", [2, 5])
def test_from_a_look_on_the_chances_are_those_of_the_studies_that_stood_there(taken: int) -> None:
    schedule, settings = Schedule(0.2, 6, PILOTS), Settings(SPREADS_PP)
    studies = simulate(settings, schedule, 4 * STUDIES)
    _, seconds = studies.words(0.0)
    at = studies.looks[taken - 1].mean
    wanted = 0.2 if taken == 2 else 0.1
    there = (seconds > studies.seconds[taken - 1]) & (abs(at - wanted) < 0.03)
    assert there.sum() > 150
    counts = np.rint(studies.counts[taken - 1].mean(axis=0)).astype(np.int64)
    groups = replace(GROUPS, counts=counts)
    found, compute = chances(schedule, groups, np.zeros(STUDIES), taken, wanted)
    simulated = [(seconds[there] <= each).mean() for each in studies.seconds[taken:]]
    assert compute == pytest.approx(studies.seconds[taken:])
    assert found == pytest.approx(np.array(simulated), abs=0.12)


def test_an_unknown_variance_is_taken_for_the_mean_of_the_known() -> None:
    known = np.where(np.arange(9) == 4, np.nan, 1.0)
    filled = replace(GROUPS, variances=known), replace(GROUPS, variances=np.ones(9))
    found = [chances(Schedule(0.3, 6, PILOTS), each, np.zeros(STUDIES))[0] for each in filled]
    assert found[0].tolist() == found[1].tolist()


def test_groups_without_spread_decide_at_the_first_look() -> None:
    flat = replace(GROUPS, variances=np.zeros(9))
    for truth in (0.0, 1.0):
        found, _ = chances(Schedule(0.3, 6, PILOTS), flat, np.full(10, truth))
        assert found[0] == 1


def test_plausible_differences_are_around_the_estimate() -> None:
    found = plausible_differences(0.4, 0.2)
    assert found.mean() == pytest.approx(0.4, abs=0.02)
    assert found.std() == pytest.approx(0.2, abs=0.01)
    assert plausible_differences(0.4, 0.2).tolist() == found.tolist()

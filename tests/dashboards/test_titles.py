"""A figure's title claims what its data show, whatever they show."""

from dataclasses import replace

import pytest

from dashboards.figures.compute import compute_title
from dashboards.figures.differences import differences_title
from dashboards.figures.responses import responses_title
from dashboards.figures.trajectories import trajectories_title
from dashboards.figures.transfer import transfer_title
from metakd.analysis.curves import CostPoint
from metakd.analysis.intervals import Interval
from metakd.analysis.summary import Summary


@pytest.mark.parametrize(
    ("verdicts", "title"),
    [
        (("better", "worse"), "ahead in 1 and behind in 1 of 2"),
        (("better", "slightly better"), "ahead in 2 of 2"),
        (("undecided", "slightly worse"), "behind in 1 of 2"),
        (("undecided", "not worse"), "No difference shown in any of 2"),
    ],
)
def test_differences(summary: Summary, verdicts: tuple[str, ...], title: str) -> None:
    settings = [replace(s, verdict=v) for s, v in zip(summary.settings, verdicts, strict=False)]
    assert title in differences_title(settings)


def test_too_few_seeds_claim_nothing(summary: Summary) -> None:
    unknown = Interval(1.0, None, None, 2, "no interval")
    settings = [replace(s, versus_grid=unknown, verdict="undecided") for s in summary.settings]
    assert "Too few seeds" in differences_title(settings)


@pytest.mark.parametrize(
    ("grid", "title"),
    [
        ((80.0, 81.0), "no grid of up to 2 runs"),
        ((80.0, 85.0), "needs 2 runs"),
        ((85.0, 86.0), "one run at a temperature drawn"),
    ],
)
def test_compute(grid: tuple[float, float], title: str) -> None:
    points = [CostPoint("grid", k, 1.0, 1.0, acc) for k, acc in enumerate(grid, start=1)]
    assert title in compute_title([*points, CostPoint("meta", 1, 2.0, 2.0, 84.0)])
    assert "each strategy" in compute_title(points)


def test_responses(summary: Summary) -> None:
    assert "τ = 4 is best on validation everywhere" in responses_title(summary.responses)
    first, *others = summary.responses
    moved = (replace(first, best_tau=16.0), *others)
    assert "moves from 4 to 16" in responses_title(moved)
    assert "Accuracy against" in responses_title((replace(first, best_tau=None),))


def test_transfer(summary: Summary) -> None:
    assert summary.transfer is not None
    assert "loses 1.5 points" in transfer_title(summary.transfer)
    free = replace(summary.transfer, regret_pp=((0.0,) * 4,) * 4)
    assert transfer_title(free) == "No transferred temperature loses accuracy"


def test_trajectories(summary: Summary) -> None:
    assert trajectories_title(summary.trajectories, 4.0).endswith("end between 3 and 5")

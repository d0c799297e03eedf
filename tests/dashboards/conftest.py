"""A made-up summary of two scales × two augmentations, complete in every part."""

import pytest

from metakd.analysis.curves import CostPoint, ResponseCurve, Trajectory, TransferRegret
from metakd.analysis.intervals import Interval
from metakd.analysis.summary import (
    Comparison,
    Inventory,
    SettingResult,
    StrategyScore,
    Summary,
    Verdict,
)

KEYS = ("10 % · none", "10 % · strong", "100 % · none", "100 % · strong")
TAUS = (1.0, 4.0, 16.0)


def setting(key: str, mean: float, verdict: str) -> SettingResult:
    scale, augmentation = key.split(" % · ")
    return SettingResult(
        key=key,
        dataset="digits",
        scale=float(scale) / 100,
        augmentation=augmentation,
        teacher="digit_cnn",
        student="digit_cnn_tiny",
        train_samples=94,
        scores=tuple(
            StrategyScore(name, 90.0 + mean, 90.5, 0.3, 1.0, 3)
            for name in ("ce", "fixed", "grid", "meta")
        ),
        versus_grid=Interval(mean, mean - 0.5, mean + 0.5, 3, "paired t over 3 seeds"),
        seeds=(0, 1, 2),
        differences_pp=(mean - 0.2, mean, mean + 0.2),
        verdict=verdict,
        best_tau=4.0,
        best_tau_by_seed=(4.0, 4.0, 1.0),
        learned_tau_s=3.0,
        learned_tau_t=5.0,
    )


def comparison(rival: str, label: str, mean: float) -> Comparison:
    effect = Interval(mean, mean - 0.4, mean + 0.4, 12, "two-way t over 4 settings × 3 seeds")
    return Comparison(rival, label, effect, effect, 0.5, "undecided", 1.9, 1.5, 0)


@pytest.fixture
def summary() -> Summary:
    return Summary(
        summary_version=1,
        study="grid_vs_meta",
        created="2026-01-01T00:00:00+00:00",
        margin_pp=0.2,
        fixed_tau=4.0,
        temperatures=TAUS,
        strategies=("ce", "fixed", "grid", "meta"),
        verdict=Verdict("Undecided, 1.5 times cheaper", "It is open.", ("One.", "Two.")),
        comparisons=(
            comparison("full_grid", "Full grid", -0.1),
            comparison("equal_cost_grid", "Grid of equal cost", 0.1),
            comparison("no_search", "No search (τ = 4)", 0.2),
        ),
        settings=(
            setting(KEYS[0], 0.0, "undecided"),
            setting(KEYS[1], -1.0, "worse"),
            setting(KEYS[2], 0.8, "better"),
            setting(KEYS[3], 0.1, "not worse"),
        ),
        responses=tuple(
            ResponseCurve(
                key, TAUS, (88.0, 90.0, 89.0), (87.0, 89.0, None), (89.0, 91.0, None), 4.0,
                85.0, 3.0, 5.0, 90.2,
            )
            for key in KEYS
        ),
        costs=(
            CostPoint("ce", 1, 100.0, 1.0, 85.0),
            CostPoint("fixed", 1, 100.0, 1.0, 89.5),
            CostPoint("meta", 1, 266.0, 3.0, 90.0),
            CostPoint("grid", 1, 100.0, 1.0, 89.0),
            CostPoint("grid", 2, 200.0, 2.0, 89.8),
            CostPoint("grid", 3, 300.0, 3.0, 90.1),
        ),
        transfer=TransferRegret(
            KEYS,
            tuple(tuple(0.0 if a == b else 1.5 for b in KEYS) for a in KEYS),
            (0.1, 0.2, 0.3, None),
            (0.0, -0.2, 0.1, 0.4),
        ),
        trajectories=tuple(
            Trajectory(
                key, (0, 1, 2), (4.0, 3.5, 3.0), (4.0, 3.0, 2.5), (4.0, 4.0, 3.5),
                (4.0, 4.5, 5.0), (4.0, 4.2, 4.5), (4.0, 5.0, 6.0),
            )
            for key in KEYS
        ),
        inventory=Inventory(84, 84, 0, 12, 12, 100.0, 120.0),
        provenance={"command": "python studies/grid_vs_meta.py", "torch": "2"},
    )  # fmt: skip

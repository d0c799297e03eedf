"""What curves of several settings, panels or scales show together, as typed values.

As in ``summary``: accuracies and differences are percentage points (``_pp``).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TauSpans:
    """Where temperatures lie over the settings; None where no setting has one.

    Attributes:
        best_low: The least of the grid's best temperatures (``SettingResult.best_tau``).
        best_high: The greatest of them.
        learned_low: The least student temperature at the end of training, of the medians over
            seeds (``Trajectory.tau_s_median``).
        learned_high: The greatest of them.
        compared: How many settings have both.
        near: In how many of these they are within a factor of two.
    """

    best_low: float | None
    best_high: float | None
    learned_low: float | None
    learned_high: float | None
    compared: int
    near: int


@dataclass(frozen=True)
class LevelChange:
    """How a strategy's accuracy changes from a factor's first level to its last.

    Attributes:
        factor: "teacher" or "augmentation".
        strategy: The strategy.
        low_pp: The least change of any panel (``DegradationCurve.change_pp``).
        high_pp: The greatest.
    """

    factor: str
    strategy: str
    low_pp: float
    high_pp: float


@dataclass(frozen=True)
class GainsOverScales:
    """How many runs the grid needs to gain what learning gains, over scales.

    Attributes:
        scales: How many have learned runs.
        unmatched: In how many of them no size of the grid gains as much.
        low_runs: The least ``SearchGain.runs_to_match`` of the others; None without any.
        high_runs: The greatest.
        most_runs: The largest grid.
    """

    scales: int
    unmatched: int
    low_runs: int | None
    high_runs: int | None
    most_runs: int

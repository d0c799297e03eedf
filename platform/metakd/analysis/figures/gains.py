"""What searching the temperature gains over the default one, by how many it tries."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.comparison import paired_differences_pp
from metakd.analysis.costs import Costs
from metakd.analysis.grid import Grid
from metakd.analysis.statistics.intervals import Interval, Matrix
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.statistics.strata import Strata, mean_interval
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import scale_in_words


@dataclass(frozen=True)
class SearchGain:
    """What searching k temperatures gains over the default one, on test, at one scale.

    Attributes:
        label: The scale as a reader sees it, for example "30 % of the data".
        scale: The scale itself.
        sizes: k, from 1 to the size of the grid.
        grid: By k: expected validation best of k (over all subsets) minus the default temperature.
        learned: Learned minus the default temperature; None if either was not run.
        grid_runs: By k: what these cost at this scale, as ``Summary.runs`` counts it; k where
            unknown.
        learned_runs: What a learned run costs, likewise; None where unknown.
        size_to_match: The smallest k whose mean gain reaches learning's; None if no k does.
        is_apart: Whether learning's interval lies above those of all k.
    """

    label: str
    scale: float
    sizes: tuple[int, ...]
    grid: tuple[Interval, ...]
    grid_runs: tuple[float, ...]
    learned: Interval | None
    learned_runs: float | None
    size_to_match: int | None
    is_apart: bool


@dataclass(frozen=True)
class GainsOverScales:
    """How many temperatures the grid needs to gain what learning gains, over scales.

    Attributes:
        scales: How many have learned runs.
        unmatched: In how many of them no size of the grid gains as much.
        low_size: The least ``SearchGain.size_to_match`` of the others; None without any.
        high_size: The greatest.
        largest_size: The largest grid.
    """

    scales: int
    unmatched: int
    low_size: int | None
    high_size: int | None
    largest_size: int


def search_gains(table: StudyTable, grid: Grid | None, costs: Costs) -> tuple[SearchGain, ...]:
    """Returns one gain for each scale, in the study's order; none without a grid and a default.

    All intervals of a scale are over the same pairs: those of its settings and seeds in which grid
    and default are complete, and learning too where it has any result.
    """
    fixed, meta = table.runs("fixed"), table.runs("meta")
    if grid is None or fixed is None:
        return ()
    scales = np.array([setting["scale"] for setting in table.settings])
    found = []
    for scale in dict.fromkeys(scales.tolist()):
        here = np.flatnonzero(scales == scale)
        pairs = grid.complete[here] & fixed.complete[here]
        learned = None if meta is None else meta.complete[here]
        has_learned = learned is not None and bool((pairs & learned).any())
        if learned is not None and has_learned:
            pairs = pairs & learned
        if pairs.any():
            default = np.where(pairs, fixed.best("test_acc_last")[here], np.nan)
            found.append(
                _gain(
                    scale,
                    [grid.best_of(k)[here] for k in range(1, grid.size + 1)],
                    meta.best("test_acc_last")[here] if meta and has_learned else None,
                    default,
                    costs.runs("grid", here.tolist()) or float(grid.size),
                    costs.runs("meta", here.tolist()),
                    None if table.strata is None else table.strata.of(here.tolist()),
                )
            )
    return tuple(found)


def gains_over_scales(gains: Sequence[SearchGain]) -> GainsOverScales | None:
    """Returns how large a grid has to be, over all scales; None where nothing was learned."""
    learned = [gain for gain in gains if gain.learned and gain.learned.mean_pp is not None]
    if not learned:
        return None
    needed = [gain.size_to_match for gain in learned if gain.size_to_match is not None]
    return GainsOverScales(
        scales=len(learned),
        unmatched=len(learned) - len(needed),
        low_size=min(needed, default=None),
        high_size=max(needed, default=None),
        largest_size=max(gain.sizes[-1] for gain in learned),
    )


def _gain(
    scale: float,
    best_of: list[Matrix],
    learned: Matrix | None,
    default: Matrix,
    grid_runs: float,
    learned_runs: float | None,
    strata: Strata | None,
) -> SearchGain:
    by_size = tuple(mean_interval(paired_differences_pp(best, default), strata) for best in best_of)
    gain = None
    if learned is not None:
        gain = mean_interval(paired_differences_pp(learned, default), strata)
    return SearchGain(
        label=scale_in_words(scale),
        scale=scale,
        sizes=tuple(range(1, len(by_size) + 1)),
        grid=by_size,
        grid_runs=tuple(grid_runs * k / len(by_size) for k in range(1, len(by_size) + 1)),
        learned=gain,
        learned_runs=learned_runs,
        size_to_match=None if gain is None else _size_to_match(by_size, gain),
        is_apart=gain is not None and _is_above(gain, by_size),
    )


def _is_above(learned: Interval, by_size: tuple[Interval, ...]) -> bool:
    low = learned.low_pp
    return low is not None and all(i.high_pp is not None and i.high_pp < low for i in by_size)


def _size_to_match(by_size: tuple[Interval, ...], learned: Interval) -> int | None:
    if learned.mean_pp is None:
        return None
    enough = (
        k
        for k, gain in enumerate(by_size, start=1)
        if gain.mean_pp is not None and gain.mean_pp >= learned.mean_pp - ROUNDING_PP
    )
    return next(enough, None)

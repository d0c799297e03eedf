"""What the table of wall-clock times shows, in a sentence."""

from metakd.analysis.curves import WallClock


def wall_clock_title(wall: WallClock) -> str:
    """Says from how many runs at once on the full grid is done before the learned run."""
    times = list(zip(wall.workers, wall.done_first, strict=True))
    grid_first = [workers for workers, first in times if first == "grid"]
    if not grid_first:
        return f"Even with {wall.workers[-1]} runs at once, the grid is not done before learning"
    if len(grid_first) == len(times):
        return "However many runs go at once, the grid is done before learning"
    if grid_first != list(wall.workers[-len(grid_first) :]):
        return "Whether grid or learning is done first depends on how many runs go at once"
    return f"With {grid_first[0]} or more runs at once, the grid is done before learning"

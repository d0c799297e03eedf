"""The report's figures, one a file: each turns a summary into a title that it proves and a plot."""

from collections.abc import Callable

from dashboards.figures.compute import compute_figure
from dashboards.figures.differences import differences_figure
from dashboards.figures.figure import Figure
from dashboards.figures.responses import responses_figure
from dashboards.figures.trajectories import trajectories_figure
from dashboards.figures.transfer import transfer_figure
from metakd.analysis.summary import Summary

FIGURES: tuple[Callable[[Summary], Figure | None], ...] = (
    differences_figure,
    compute_figure,
    responses_figure,
    transfer_figure,
    trajectories_figure,
)


def all_figures(summary: Summary) -> list[Figure]:
    """Returns the figures that the study has data for, in the report's order."""
    return [figure for make in FIGURES if (figure := make(summary)) is not None]

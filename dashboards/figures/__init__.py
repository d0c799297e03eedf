"""The report's figures, one a file: each turns a summary into a title that it proves and a plot.

In a notebook::

    from metakd.dashboards.figures import draw

    draw("results/grid_vs_meta", "differences", theme="dark")
"""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import plotly.graph_objects as go

from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary
from metakd.dashboards.figures.anytime import anytime_figure
from metakd.dashboards.figures.classes import classes_figure
from metakd.dashboards.figures.declared_looks import looks_figure
from metakd.dashboards.figures.degradations import augmentations_figure, teachers_figure
from metakd.dashboards.figures.differences import differences_figure
from metakd.dashboards.figures.figure import Figure, escape
from metakd.dashboards.figures.gains import gains_figure
from metakd.dashboards.figures.power import detectable_figure, outlook_figure
from metakd.dashboards.figures.published import published_figure
from metakd.dashboards.figures.reliability import optimism_figure, profiles_figure
from metakd.dashboards.figures.responses import responses_figure, starts_figure
from metakd.dashboards.figures.teaching import quizzes_figure, teaching_figure
from metakd.dashboards.figures.trajectories import trajectories_figure
from metakd.dashboards.figures.transfer import transfer_figure
from metakd.dashboards.figures.weights import outcomes_figure, weights_figure
from metakd.dashboards.theme import Theme, coloured

__all__ = ["FIGURES", "Figure", "all_figures", "draw", "to_plotly"]

TITLE_PX = 72
LINE_LETTERS = 78
WIDTH_PX = 900


class ReportFigure(NamedTuple):
    """A figure of the report.

    Attributes:
        heading: Its name in the contents.
        draw: Returns it; None where the study has no data for it.
    """

    heading: str
    draw: Callable[[Summary], Figure | None]


# In the report's order.
FIGURES: Mapping[str, ReportFigure] = MappingProxyType(
    {
        "looks": ReportFigure("Look by look", looks_figure),
        "differences": ReportFigure("Paired difference", differences_figure),
        "gains": ReportFigure("Gain for compute", gains_figure),
        "anytime": ReportFigure("If stopped early", anytime_figure),
        "responses": ReportFigure("Response to τ", responses_figure),
        "transfer": ReportFigure("Reusing a τ elsewhere", transfer_figure),
        "starts": ReportFigure("By the start", starts_figure),
        "trajectories": ReportFigure("Learned temperatures", trajectories_figure),
        "weights": ReportFigure("Weights over time", weights_figure),
        "outcomes": ReportFigure("Right against wrong", outcomes_figure),
        "classes": ReportFigure("Weights by class", classes_figure),
        "teaching": ReportFigure("Teacher against student", teaching_figure),
        "quizzes": ReportFigure("Quiz before and after", quizzes_figure),
        "teachers": ReportFigure("Teacher size", teachers_figure),
        "augmentations": ReportFigure("Augmentation", augmentations_figure),
        "published": ReportFigure("Beside published numbers", published_figure),
        "profiles": ReportFigure("Reliability", profiles_figure),
        "optimism": ReportFigure("Selection bias", optimism_figure),
        "detectable": ReportFigure("Was it enough?", detectable_figure),
        "outlook": ReportFigure("What it would take", outlook_figure),
    }
)


def all_figures(summary: Summary) -> list[Figure]:
    """Returns the figures that the study has data for, in the report's order."""
    return [drawn for each in FIGURES.values() if (drawn := each.draw(summary)) is not None]


def draw(study: Summary | Path | str, name: str, theme: Theme = "light") -> go.Figure:
    """Returns one figure of a study as a Plotly figure, ready to show or to change.

    Args:
        study: The study's folder, or its summary.
        name: One of ``FIGURES``.
        theme: "light" or "dark".

    Raises:
        ValueError: If there is no such figure, or the study has no data for it.
        StoreError: If the folder holds no study, or a file in it is damaged.
    """
    if name not in FIGURES:
        raise ValueError(f"there is no figure {name!r}: choose one of {', '.join(FIGURES)}")
    summary = study if isinstance(study, Summary) else summarise(Path(study))
    figure = FIGURES[name].draw(summary)
    if figure is None:
        there = [found.id for found in all_figures(summary)]
        raise ValueError(
            f"this study has no data for figure {name!r}: it has {', '.join(there) or 'none'}"
        )
    return to_plotly(figure, theme)


def to_plotly(figure: Figure, theme: Theme) -> go.Figure:
    """Returns a figure in the colours of a theme, under its title.

    Args:
        figure: One of the report's.
        theme: "light" or "dark".
    """
    layout: dict[str, Any] = {
        **figure.layout,
        "width": WIDTH_PX,
        "height": figure.height_px + TITLE_PX,
        "margin": {**figure.layout["margin"], "t": figure.layout["margin"]["t"] + TITLE_PX},
        "title": {
            "text": "<br>".join(
                f"<b>{escape(line)}</b>" for line in textwrap.wrap(figure.title, LINE_LETTERS)
            ),
            "font": {"size": 16, "color": "@ink"},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 20, "l": 22},
        },
    }
    return go.Figure(data=coloured(list(figure.traces), theme), layout=coloured(layout, theme))

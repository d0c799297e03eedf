"""Small multiples: one panel for each setting, scales below each other, augmentations beside."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.figures.figure import Layout, axis, escape
from metakd.analysis.summary import SettingResult

GAP_X, GAP_Y = 0.05, 0.11
ROW_PX = 210


@dataclass(frozen=True)
class Panel:
    """Where a setting is drawn.

    Attributes:
        key: The setting.
        x: Plotly's name of its x axis, "x", "x2", ...
        y: Plotly's name of its y axis.
    """

    key: str
    x: str
    y: str


def lay_out(
    settings: Sequence[SettingResult], keys: Sequence[str], x: Layout, y: Layout
) -> tuple[list[Panel], Layout, int]:
    """Arranges panels for some settings.

    Args:
        settings: All settings of the study, for their order.
        keys: Those to draw.
        x: What the x axes have beside the shared look.
        y: What the y axes have.

    Returns:
        The panels, their part of the layout (axes and headings), and the height in pixels.
    """
    shown = [setting for setting in settings if setting.key in set(keys)]
    per_row = max(1, len({setting.augmentation for setting in shown}))
    rows = max(1, -(-len(shown) // per_row))
    width = (1 - GAP_X * (per_row - 1)) / per_row
    gap_y = GAP_Y if rows > 1 else 0.0
    height = (1 - gap_y * (rows - 1)) / rows
    layout: Layout = {"annotations": [], "margin": {"l": 64, "r": 24, "t": 76, "b": 56}}
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top"}
    panels = []
    for index, setting in enumerate(shown):
        row, column = divmod(index, per_row)
        left, top = column * (width + GAP_X), 1 - row * (height + gap_y)
        suffix = "" if index == 0 else str(index + 1)
        last_row = index + per_row >= len(shown)
        layout[f"xaxis{suffix}"] = axis(
            str(x.get("name", "")) if last_row else "",
            **{k: v for k, v in x.items() if k != "name"},
            domain=[left, left + width],
            anchor=f"y{suffix}",
        )
        layout[f"yaxis{suffix}"] = axis(
            str(y.get("name", "")) if column == 0 else "",
            **{k: v for k, v in y.items() if k != "name"},
            domain=[max(0.0, top - height), top],
            anchor=f"x{suffix}",
        )
        layout["annotations"].append(
            {
                "text": f"<b>{escape(setting.key)}</b>",
                "x": left,
                "y": top,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 12, "color": "@ink"},
            }
        )
        panels.append(Panel(setting.key, f"x{suffix}", f"y{suffix}"))
    return panels, layout, 110 + ROW_PX * rows

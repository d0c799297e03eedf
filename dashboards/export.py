"""Figures as files, for papers and slides: SVG or PNG, drawn by a browser that kaleido drives."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from metakd.analysis.summary import Summary
from metakd.atomic import new_file
from metakd.dashboards.figures import all_figures, to_plotly
from metakd.errors import UserError
from metakd.extras import require

# A PNG has this many pixels for each of the figure's.
PNG_SCALE = 2


class ExportError(UserError):
    """Figures cannot be exported on this machine; the message says what is missing."""


def export_figures(summary: Summary, folder: Path, format: Literal["svg", "png"]) -> list[Path]:
    """Writes every figure of a summary in the light theme, and returns the files.

    One browser draws them all, as its start takes seconds. It needs no network.

    Args:
        summary: What the study found.
        folder: Where to write; made if it is not there.
        format: "svg" or "png".

    Raises:
        MissingPackageError: If kaleido is not installed.
        ExportError: If a browser is missing, or fails.
    """
    figures = all_figures(summary)
    with TemporaryDirectory() as drafts:
        made = [Path(drafts) / f"{figure.id}.{format}" for figure in figures]
        _write(
            [
                {
                    "fig": to_plotly(figure, "light").to_plotly_json(),
                    "path": path,
                    "opts": {"format": format, "scale": PNG_SCALE if format == "png" else 1},
                }
                for figure, path in zip(figures, made, strict=True)
            ]
        )
        files = [folder / path.name for path in made]
        for path, file in zip(made, files, strict=True):
            with new_file(file) as draft:
                draft.write_bytes(path.read_bytes())
    return files


def _write(drawings: list[dict[str, object]]) -> None:
    require("kaleido", "exporting figures")
    import kaleido
    from kaleido.errors import ChromeNotFoundError, KaleidoError

    try:
        # Not by way of plotly.io, which keeps errors to itself and fetches MathJax. The browser's
        # sandbox is off by default, so that this works for root, too.
        kaleido.write_fig_from_object_sync(drawings, cancel_on_error=True, kopts={"mathjax": False})
    except ChromeNotFoundError as error:
        raise ExportError(
            "exporting figures needs Chrome or Chromium: install one, or name it in BROWSER_PATH"
        ) from error
    except (KaleidoError, RuntimeError, OSError) as error:
        reason = str(error.args[0]) if error.args else type(error).__name__
        raise ExportError(f"the browser could not draw the figures: {reason}") from error

"""The report: one HTML file that opens offline and asks the network for nothing."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import plotly.offline
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards import numbers
from dashboards.figures import all_figures
from dashboards.figures.figure import Figure
from dashboards.svg import compute_plot, interval_bar, reach
from dashboards.theme import DARK, LIGHT, LOOKS
from metakd.analysis.summary import Summary
from metakd.atomic import new_file

HERE = Path(__file__).parent
REPORT_FILE = "report.html"
# Plotly's defaults would offer to upload a chart, and show unnamed buttons.
PLOTLY_CONFIG = {
    "displayModeBar": False,
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
}


def write_report(out: Path, summary: Summary, file: Path | None = None) -> Path:
    """Writes the report of a summary and returns its path.

    Args:
        out: The study's folder.
        summary: What the study found.
        file: Where to write; None writes ``report.html`` into the folder.
    """
    path = file or out / REPORT_FILE
    with new_file(path) as draft:
        draft.write_text(render(summary), encoding="utf-8")
    return path


def render(summary: Summary) -> str:
    """Returns the whole page; the same summary gives the same bytes."""
    figures = all_figures(summary)
    plotly_js, page_js = plotly.offline.get_plotlyjs(), (HERE / "report.js").read_text()
    for script in (plotly_js, page_js):
        assert "</script" not in script.lower()
        assert "<!--" not in script
    span = reach(summary.comparisons, summary.margin_pp)
    page = _environment().get_template("report.html.j2")
    return page.render(
        s=summary,
        figures=figures,
        css=Markup((HERE / "report.css").read_text()),
        light=LIGHT,
        dark=DARK,
        looks=LOOKS,
        hero=compute_plot(summary.costs),
        bars=[interval_bar(c, summary.margin_pp, span) for c in summary.comparisons],
        policy=_policy(plotly_js, page_js),
        plotly_js=Markup(plotly_js),
        page_js=Markup(page_js),
        data=_inert_json(_page_data(figures)),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        signed=numbers.signed, plain=numbers.plain, between=numbers.between, tau=numbers.tau
    )
    return environment


def _page_data(figures: list[Figure]) -> dict[str, Any]:
    return {
        "config": PLOTLY_CONFIG,
        "themes": {"light": LIGHT, "dark": DARK},
        "figures": {
            figure.id: {"data": figure.traces, "layout": figure.layout} for figure in figures
        },
    }


def _inert_json(data: dict[str, Any]) -> Markup:
    """Returns JSON in which nothing can end the script element that holds it."""
    text = json.dumps(_rounded(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _policy(*scripts: str) -> str:
    """Returns the content policy: these very scripts, and no connection anywhere."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; "
        "base-uri 'none'"
    )

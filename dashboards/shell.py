"""The frame of every page: one HTML file that needs no network.

The content policy names the hashes of the page's own scripts and forbids every connection; data lie
in a JSON block in which nothing can end the element that holds it; all other text is escaped.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.offline
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from metakd.analysis import wording
from metakd.dashboards import formats, theme
from metakd.dashboards.figures.figure import Figure
from metakd.dashboards.theme import DARK, DARK_TONES, LIGHT, LIGHT_TONES

HERE = Path(__file__).parent / "page"
# What templates call.
FUNCTIONS = (
    *(formats.signed, formats.plain, formats.between, formats.ends, formats.level),
    *(formats.from_to, formats.tau, formats.duration, formats.day, formats.probability),
    *(formats.runs, formats.costs, formats.cost_words, formats.claim_words),
    wording.counted,
    *(theme.accuracy_tone, theme.cost_tone, theme.claim_tone),
)
# Plotly's defaults would offer to upload a chart, and show unnamed buttons.
PLOTLY_CONFIG = {
    "displayModeBar": False,
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
}


def render_page(template: str, figures: Sequence[Figure] = (), **values: Any) -> str:  # noqa: ANN401
    """Returns a whole page; the same values give the same bytes.

    Args:
        template: A template beside ``shell.html.j2`` that extends it.
        figures: What the page draws; plotly.js is embedded, once, where there are any.
        values: What the template names.
    """
    scripts = [plotly.offline.get_plotlyjs()] if figures else []
    scripts.append((HERE / "page.js").read_text(encoding="utf-8"))
    for script in scripts:
        assert "</script" not in script.lower()
        assert "<!--" not in script
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            figures=figures,
            css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
            light=_variables(LIGHT | LIGHT_TONES),
            dark=_variables(DARK | DARK_TONES),
            policy=_policy(scripts),
            scripts=[Markup(script) for script in scripts],
            data=_inert_json(_page_data(figures)),
        )
    )


def prose(text: str) -> str:
    """Returns a text in which no line begins with a per cent sign, a dot or half of "τ = 4"."""
    return re.sub(r"(?<=\d) (?=%)|(?<=[τp]) (?=[=<])|(?<=[τp] [=<]) | (?=·)", "\u00a0", text)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    environment.globals.update({function.__name__: function for function in FUNCTIONS})
    return environment


def _variables(theme: dict[str, str]) -> Markup:
    return Markup(" ".join(f"--{name}: {colour};" for name, colour in theme.items()))


def _page_data(figures: Sequence[Figure]) -> dict[str, Any]:
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


def _policy(scripts: Sequence[str]) -> str:
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

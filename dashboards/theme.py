"""How everything looks: colours by what they mean, tones of verdicts, styles of strategies.

Figures name colours by token ("@meta"); the page replaces them by those of the light or the dark
theme, so that one figure serves both. Words always stand beside a tone. A strategy has one colour,
one symbol and one dash everywhere.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from metakd.analysis.comparison import Comparison
from metakd.analysis.questions.multi_teacher import Ensemble
from metakd.analysis.summary import Summary
from metakd.strategies import STRATEGIES, Style, style_of

LIGHT = {
    "paper": "#f6f5f1",
    "card": "#ffffff",
    "ink": "#17202a",
    "muted": "#5c6773",
    "line": "#e4e2db",
    "meta": "#c2410c",
    "meta-soft": "rgba(194,65,12,0.16)",
    "grid": "#1d5f9e",
    "grid-soft": "rgba(29,95,158,0.16)",
    "fixed": "#7a828b",
    "fixed-soft": "rgba(122,130,139,0.16)",
    "ce": "#0f8a6a",
    "ce-soft": "rgba(15,138,106,0.16)",
    "plum": "#a33a86",
    "plum-soft": "rgba(163,58,134,0.14)",
    "margin": "rgba(92,103,115,0.13)",
    "low": "#fbf6ee",
    "middle": "#f2b384",
    "high": "#a8350a",
}
DARK = {
    "paper": "#0f1317",
    "card": "#171c22",
    "ink": "#e9edf1",
    "muted": "#9aa6b2",
    "line": "#2a323b",
    "meta": "#ff9a5c",
    "meta-soft": "rgba(255,154,92,0.2)",
    "grid": "#74b4f2",
    "grid-soft": "rgba(116,180,242,0.2)",
    "fixed": "#98a3ae",
    "fixed-soft": "rgba(152,163,174,0.18)",
    "ce": "#56d0a6",
    "ce-soft": "rgba(86,208,166,0.18)",
    "plum": "#ef8fd2",
    "plum-soft": "rgba(239,143,210,0.18)",
    "margin": "rgba(154,166,178,0.16)",
    "low": "#20262d",
    "middle": "#8a4d2a",
    "high": "#ff9a5c",
}
# Of other strategies: in the light theme and in the dark one.
HUES = {
    "teal": ("#0e7490", "#4fd1e0"),
    "violet": ("#6d28d9", "#b79cff"),
    "magenta": ("#a21caf", "#ea8cf5"),
    "rose": ("#be123c", "#ff8fa3"),
    "olive": ("#4a6d12", "#b5d96b"),
    "mustard": ("#856000", "#e3bf4d"),
    "brown": ("#7c4a21", "#d9a878"),
    "indigo": ("#3f3fc4", "#9aa5ff"),
    "wine": ("#7f1d4e", "#d987b5"),
    "forest": ("#166534", "#7ddb8f"),
    "sky": ("#0369a1", "#7fcdfb"),
    "ember": ("#9f2d12", "#ffb59b"),
    "steel": ("#44598c", "#a9bce8"),
}
GOOD, BAD, NEUTRAL = "good", "bad", "neutral"
LIGHT_TONES = {
    GOOD: "#0f6b4f",
    "good-soft": "#dff1e9",
    BAD: "#9b1c31",
    "bad-soft": "#fbe4e7",
    NEUTRAL: "#5c6773",
    "neutral-soft": "#eceae4",
}
DARK_TONES = {
    GOOD: "#7fdcb6",
    "good-soft": "#14392d",
    BAD: "#ff9fae",
    "bad-soft": "#47181f",
    NEUTRAL: "#a9b4bf",
    "neutral-soft": "#242c34",
}
AHEAD = ("better", "slightly better")
BEHIND = ("worse", "slightly worse")


def _soft(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


for _name, (_light, _dark) in HUES.items():
    LIGHT |= {_name: _light, f"{_name}-soft": _soft(_light, 0.14)}
    DARK |= {_name: _dark, f"{_name}-soft": _soft(_dark, 0.18)}

Theme = Literal["light", "dark"]
THEMES: Mapping[Theme, Mapping[str, str]] = {"light": LIGHT, "dark": DARK}


SYMBOLS = ("circle", "square", "star", "hexagon", "triangle-down", "pentagon", "cross")
DASHES = ("dashdot", "solid", "dot", "dash")
# They come first in legends and tables.
MAIN = ("meta", "grid", "fixed", "ce")
# Hues that no strategy of several teachers has come first.
TEACHER_STYLES = (
    ("@teal", "solid", "circle"),
    ("@mustard", "dash", "square"),
    ("@violet", "dot", "diamond"),
    ("@rose", "dashdot", "triangle-up"),
    ("@forest", "solid", "star"),
    ("@sky", "dash", "hexagon"),
    ("@brown", "dot", "cross"),
    ("@magenta", "dashdot", "pentagon"),
)


def coloured(value: Any, theme: Theme) -> Any:  # noqa: ANN401 - Plotly's own values
    """Returns a trace or a layout with its colour tokens replaced by the colours of a theme."""
    if isinstance(value, str):
        return THEMES[theme][value[1:]] if value.startswith("@") else value
    if isinstance(value, dict):
        return {key: coloured(item, theme) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [coloured(item, theme) for item in value]
    return value


def accuracy_tone(verdict: str) -> str:
    """Returns the tone of an accuracy verdict: green only where learning is ahead."""
    return GOOD if verdict in AHEAD else BAD if verdict in BEHIND else NEUTRAL


def cost_tone(verdict: str) -> str:
    """Returns the tone of a cost verdict."""
    return {"cheaper": GOOD, "dearer": BAD}.get(verdict, NEUTRAL)


def claim_tone(claim: str) -> str:
    """Returns the tone of a setting's claim."""
    return {"ahead": GOOD, "behind": BAD}.get(claim, NEUTRAL)


def badge_tone(comparison: Comparison) -> str:
    """Returns the tone of the study's answer; a tie counts as good where it is the cheaper one."""
    tone = accuracy_tone(comparison.accuracy_verdict)
    tie = comparison.accuracy_verdict in ("equivalent", "not worse")
    return GOOD if tie and comparison.cost_verdict == "cheaper" else tone


def styles_in(summary: Summary) -> dict[str, Style]:
    """Returns the styles of all strategies of a summary, in the order of legends and tables."""
    parts = (summary.anytime, summary.degradations, summary.profiles, summary.baselines)
    styles = styles_of([*summary.strategies, *(found.strategy for part in parts for found in part)])
    return {name: style_of(name, summary.question) or style for name, style in styles.items()}


def styles_of(strategies: Iterable[str]) -> dict[str, Style]:
    """Returns one style for each strategy: those that have a fixed one first, then the others.

    These get a hue and a dash that no other has, hues that are free before the rest, in the order
    given; only after 40 of them styles come again.
    """
    names = list(dict.fromkeys(strategies))
    in_order = dict.fromkeys((*MAIN, *STRATEGIES))
    known = {name: style_of(name) for name in in_order if name in names}
    styles = {name: style for name, style in known.items() if style is not None}
    taken = {(style.colour, style.dash) for style in styles.values()}
    hues = {colour for colour, _ in taken}
    free = [(f"@{hue}", dash) for dash in DASHES for hue in HUES]
    free = [found for found in free if found not in taken]
    free.sort(key=lambda found: found[0] in hues)
    for index, name in enumerate(name for name in names if name not in styles):
        colour, dash = free[index % len(free)]
        styles[name] = Style(name, colour, SYMBOLS[index % len(SYMBOLS)], dash)
    return styles


def own_style(strategy: str) -> Style:
    """Returns the style of a strategy beside no other."""
    return styles_of([strategy])[strategy]


def line_px(strategy: str) -> float:
    """Returns how thick a strategy's line is."""
    style = style_of(strategy)
    return 2.5 if style is not None and style.is_main else 1.4


def teacher_styles(summary: Summary) -> dict[str, Style]:
    """Returns a style for each teacher, in the order in which the study names them."""
    named = (
        []
        if not isinstance(summary.answer, Ensemble)
        else [t.name for t in summary.answer.teachers]
    )
    named += [name for found in summary.weights for name in found.teachers]
    styles = {}
    for index, name in enumerate(dict.fromkeys(named)):
        colour, dash, symbol = TEACHER_STYLES[index % len(TEACHER_STYLES)]
        styles[name] = Style(name, colour, symbol, dash)
    return styles

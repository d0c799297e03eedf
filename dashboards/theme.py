"""Colours by what they mean, in a light and a dark theme.

Figures name colours by token ("@meta"); the page replaces them by the theme that is on, so that one
figure serves both. A strategy has one colour, one symbol and one dash everywhere.
"""

from dataclasses import dataclass

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
    "ce": "#0f8a6a",
    "margin": "rgba(92,103,115,0.14)",
    "low": "#fdf6ec",
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
    "ce": "#56d0a6",
    "margin": "rgba(154,166,178,0.16)",
    "low": "#1d2229",
}


@dataclass(frozen=True)
class Look:
    """How a strategy is named and drawn."""

    name: str
    colour: str
    symbol: str
    dash: str


LOOKS = {
    "meta": Look("learned", "@meta", "diamond", "solid"),
    "grid": Look("grid", "@grid", "circle", "solid"),
    "fixed": Look("fixed τ", "@fixed", "square", "dash"),
    "ce": Look("no teacher", "@ce", "triangle-up", "dot"),
}

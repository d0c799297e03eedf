"""Colours by what they mean, in a light and a dark theme.

Figures name colours by token ("@meta"); the page replaces them by the theme that is on, so that one
figure serves both. A strategy has one colour, one symbol and one dash everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
# Of strategies beside the four that a plan knows: in the light theme and in the dark one.
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


def _soft(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


for _name, (_light, _dark) in HUES.items():
    LIGHT |= {_name: _light, f"{_name}-soft": _soft(_light, 0.14)}
    DARK |= {_name: _dark, f"{_name}-soft": _soft(_dark, 0.18)}
Theme = Literal["light", "dark"]
THEMES: Mapping[Theme, Mapping[str, str]] = {"light": LIGHT, "dark": DARK}


@dataclass(frozen=True)
class Look:
    """How a strategy is named and drawn."""

    name: str
    colour: str
    symbol: str
    dash: str

    @property
    def soft(self) -> str:
        """The colour of the strategy's band."""
        return f"{self.colour}-soft"


# In the order of legends and tables.
SEARCH_LOOKS = {
    "meta": Look("learned", "@meta", "diamond", "solid"),
    "grid": Look("grid", "@grid", "circle", "solid"),
    "fixed": Look("fixed τ", "@fixed", "square", "dash"),
    "ce": Look("no teacher", "@ce", "triangle-up", "dot"),
    "grid2d": Look("grid 2D", "@olive", "square", "solid"),
    "random": Look("random", "@teal", "circle", "solid"),
    "optuna": Look("Optuna", "@violet", "star", "solid"),
    "optuna+asha": Look("Optuna + ASHA", "@magenta", "star", "dash"),
    "grid+asha": Look("grid + ASHA", "@sky", "circle-open", "dash"),
    "pbt": Look("PBT", "@rose", "hexagon", "solid"),
    "ctkd": Look("CTKD", "@wine", "triangle-down", "solid"),
    "logit_std": Look("logit std", "@mustard", "pentagon", "solid"),
    "dkd": Look("DKD", "@brown", "cross", "solid"),
    "meta-shared": Look("learned, one τ", "@ember", "diamond-open", "dash"),
    "align": Look("aligned τ", "@indigo", "diamond", "dot"),
}
# The same methods with one thing changed, which a study of starts tells apart.
START_LOOKS = {
    "meta-starts": Look("learned, each start", "@meta", "diamond-open", "dot"),
    "grid-scale-free": Look("grid, one gradient size", "@grid", "circle-open", "dot"),
}
# Of several teachers at once: hues come again, as no usual study has both.
ENSEMBLE_LOOKS = {
    "mmkd": Look("MMKD", "@ember", "diamond", "solid"),
    "mmkd+tau": Look("MMKD, learned τ", "@wine", "diamond-open", "dash"),
    "mmkd-logits": Look("MMKD, no features", "@magenta", "diamond", "solid"),
    "mmkd-tau": Look("learned τ alone", "@sky", "diamond-open", "solid"),
    "mmkd-reference": Look("MMKD as published", "@brown", "cross", "dash"),
    "mean_losses": Look("mean of losses", "@steel", "square", "solid"),
    "mean_logits": Look("mean of logits", "@indigo", "circle", "solid"),
    "mean_features": Look("mean with features", "@olive", "square", "dash"),
    "camkd": Look("confidence (CA-MKD)", "@forest", "triangle-down", "solid"),
    "single": Look("best single teacher", "@fixed", "circle", "solid"),
}
# Of a teacher that learns to teach, likewise.
TEACHING_LOOKS = {
    "metadistil": Look("learning teacher", "@plum", "diamond", "solid"),
    "metadistil+tau": Look("learning, learned τ", "@indigo", "diamond-open", "dash"),
    "metadistil-no-pilot": Look("learning, no pilot", "@teal", "circle", "dash"),
    "metadistil-own-quiz": Look("learning, own quiz", "@mustard", "square", "dash"),
    "metadistil-reference": Look("learning, published", "@rose", "cross", "dash"),
}
# Where a question puts strategies in another light.
NAMES_IN_QUESTION = {
    "learning_to_teach": {"fixed": "fixed teacher", "meta": "fixed, learned τ"},
}
LOOKS = SEARCH_LOOKS | START_LOOKS | ENSEMBLE_LOOKS | TEACHING_LOOKS


def coloured(value: Any, theme: Theme) -> Any:  # noqa: ANN401 - Plotly's own values
    """Returns a trace or a layout with its colour tokens replaced by the colours of a theme."""
    if isinstance(value, str):
        return THEMES[theme][value[1:]] if value.startswith("@") else value
    if isinstance(value, dict):
        return {key: coloured(item, theme) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [coloured(item, theme) for item in value]
    return value

"""The style of each strategy and of each teacher: one colour, symbol and dash everywhere."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboards.theme import HUES
from metakd.analysis.summary import Summary


@dataclass(frozen=True)
class Style:
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
SEARCH_STYLES = {
    "meta": Style("learned", "@meta", "diamond", "solid"),
    "grid": Style("grid", "@grid", "circle", "solid"),
    "fixed": Style("fixed τ", "@fixed", "square", "dash"),
    "ce": Style("no teacher", "@ce", "triangle-up", "dot"),
    "grid2d": Style("grid 2D", "@olive", "square", "solid"),
    "random": Style("random", "@teal", "circle", "solid"),
    "optuna": Style("Optuna", "@violet", "star", "solid"),
    "optuna+asha": Style("Optuna + ASHA", "@magenta", "star", "dash"),
    "grid+asha": Style("grid + ASHA", "@sky", "circle-open", "dash"),
    "pbt": Style("PBT", "@rose", "hexagon", "solid"),
    "ctkd": Style("CTKD", "@wine", "triangle-down", "solid"),
    "logit_std": Style("logit std", "@mustard", "pentagon", "solid"),
    "dkd": Style("DKD", "@brown", "cross", "solid"),
    "meta-shared": Style("learned, one τ", "@ember", "diamond-open", "dash"),
    "align": Style("aligned τ", "@indigo", "diamond", "dot"),
}
# The same methods with one thing changed, which a study of starts tells apart.
START_STYLES = {
    "meta-starts": Style("learned, each start", "@meta", "diamond-open", "dot"),
    "grid-scale-free": Style("grid, one gradient size", "@grid", "circle-open", "dot"),
}
# Of several teachers at once: hues come again, as no usual study has both.
ENSEMBLE_STYLES = {
    "mmkd": Style("MMKD", "@ember", "diamond", "solid"),
    "mmkd+tau": Style("MMKD, learned τ", "@wine", "diamond-open", "dash"),
    "mmkd-logits": Style("MMKD, no features", "@magenta", "diamond", "solid"),
    "mmkd-tau": Style("learned τ alone", "@sky", "diamond-open", "solid"),
    "mmkd-reference": Style("MMKD as published", "@brown", "cross", "dash"),
    "mean_losses": Style("mean of losses", "@steel", "square", "solid"),
    "mean_logits": Style("mean of logits", "@indigo", "circle", "solid"),
    "mean_features": Style("mean with features", "@olive", "square", "dash"),
    "camkd": Style("confidence (CA-MKD)", "@forest", "triangle-down", "solid"),
    "single": Style("best single teacher", "@fixed", "circle", "solid"),
}
# Of a teacher that learns to teach, likewise.
TEACHING_STYLES = {
    "metadistil": Style("learning teacher", "@plum", "diamond", "solid"),
    "metadistil+tau": Style("learning, learned τ", "@indigo", "diamond-open", "dash"),
    "metadistil-no-pilot": Style("learning, no pilot", "@teal", "circle", "dash"),
    "metadistil-own-quiz": Style("learning, own quiz", "@mustard", "square", "dash"),
    "metadistil-reference": Style("learning, published", "@rose", "cross", "dash"),
}
# Where a question puts strategies in another light.
NAMES_IN_QUESTION = {
    "learning_to_teach": {"fixed": "fixed teacher", "meta": "fixed, learned τ"},
}
STYLES = SEARCH_STYLES | START_STYLES | ENSEMBLE_STYLES | TEACHING_STYLES
SYMBOLS = ("circle", "square", "star", "hexagon", "triangle-down", "pentagon", "cross")
DASHES = ("dashdot", "solid", "dot", "dash")
# What the verdict is about stands out; of others the lines are thin, and bands are left out.
MAIN = ("meta", "grid", "fixed", "ce")
THICK = (*MAIN, "mmkd", "mean_losses", "single", "metadistil")
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


def styles_in(summary: Summary) -> dict[str, Style]:
    """Returns the styles of all strategies of a summary, in the order of legends and tables."""
    parts = (summary.anytime, summary.degradations, summary.profiles, summary.rivals)
    styles = styles_of([*summary.strategies, *(found.strategy for part in parts for found in part)])
    names = NAMES_IN_QUESTION.get(summary.question, {})
    return {key: replace(style, name=names.get(key, style.name)) for key, style in styles.items()}


def styles_of(strategies: Iterable[str]) -> dict[str, Style]:
    """Returns one style for each strategy: those that have a fixed one first, then the others.

    These get a hue and a dash that no other has, hues that are free before the rest, in the order
    given; only after 40 of them styles come again.
    """
    names = list(dict.fromkeys(strategies))
    styles = {name: style for name, style in STYLES.items() if name in names}
    taken = {(style.colour, style.dash) for style in styles.values()}
    hues = {colour for colour, _ in taken}
    free = [(f"@{hue}", dash) for dash in DASHES for hue in HUES]
    free = [found for found in free if found not in taken]
    free.sort(key=lambda found: found[0] in hues)
    for index, name in enumerate(name for name in names if name not in styles):
        colour, dash = free[index % len(free)]
        styles[name] = Style(name, colour, SYMBOLS[index % len(SYMBOLS)], dash)
    return styles


def line_px(strategy: str) -> float:
    """Returns how thick a strategy's line is."""
    return 2.5 if strategy in THICK else 1.4


def teacher_styles(summary: Summary) -> dict[str, Style]:
    """Returns a style for each teacher, in the order in which the study names them."""
    asked = [] if summary.ensemble is None else [t.name for t in summary.ensemble.teachers]
    asked += [name for found in summary.weights for name in found.teachers]
    styles = {}
    for index, name in enumerate(dict.fromkeys(asked)):
        colour, dash, symbol = TEACHER_STYLES[index % len(TEACHER_STYLES)]
        styles[name] = Style(name, colour, symbol, dash)
    return styles

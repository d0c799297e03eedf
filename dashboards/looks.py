"""How any strategy is drawn, also one that nobody has heard of."""

from collections.abc import Iterable
from dataclasses import replace

from dashboards.theme import HUES, LOOKS, NAMES_IN_QUESTION, Look
from metakd.analysis.summary import Summary

SYMBOLS = ("circle", "square", "star", "hexagon", "triangle-down", "pentagon", "cross")
DASHES = ("dashdot", "solid", "dot", "dash")
# What the verdict is about stands out; of others the lines are thin, and bands are left out.
MAIN = ("meta", "grid", "fixed", "ce")
THICK = (*MAIN, "mmkd", "mean_losses", "single", "metadistil")


def looks_in(summary: Summary) -> dict[str, Look]:
    """Returns the looks of all strategies of a summary, in the order of legends and tables."""
    parts = (summary.anytime, summary.degradations, summary.profiles, summary.rivals)
    looks = looks_of([*summary.strategies, *(found.strategy for part in parts for found in part)])
    names = NAMES_IN_QUESTION.get(summary.question, {})
    return {key: replace(look, name=names.get(key, look.name)) for key, look in looks.items()}


def looks_of(strategies: Iterable[str]) -> dict[str, Look]:
    """Returns one look for each strategy: those that have a fixed one first, then the others.

    These get a hue and a dash that no other has, hues that are free before the rest, in the order
    given; only after 40 of them looks come again.
    """
    names = list(dict.fromkeys(strategies))
    looks = {name: look for name, look in LOOKS.items() if name in names}
    taken = {(look.colour, look.dash) for look in looks.values()}
    hues = {colour for colour, _ in taken}
    free = [(f"@{hue}", dash) for dash in DASHES for hue in HUES]
    free = [found for found in free if found not in taken]
    free.sort(key=lambda found: found[0] in hues)
    for index, name in enumerate(name for name in names if name not in looks):
        colour, dash = free[index % len(free)]
        looks[name] = Look(name, colour, SYMBOLS[index % len(SYMBOLS)], dash)
    return looks


def line_px(strategy: str) -> float:
    """Returns how thick a strategy's line is."""
    return 2.5 if strategy in THICK else 1.4

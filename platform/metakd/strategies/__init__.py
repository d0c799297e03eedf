"""Every way to choose a temperature, or to weigh teachers: one small file each, one line here.

A file has all that is known of its strategies, also what sentences and figures call them. It
imports the core and Optuna only where they run, as reports name strategies, too.

A strategy of an installed package stands beside these by the name of its entry point, in the group
``metakd.strategies``.

A new strategy is a file with a :class:`~metakd.strategies.strategy.Strategy` and a line here;
``metakd.testing.strategy.check_strategy`` says whether it keeps the rules.
"""

from metakd.own_code import OWN_NAME, OwnCodeError, named
from metakd.registry import Registry
from metakd.strategies.strategy import Choices, Search, Segment, Strategy, StrategyError, Style

_PLACES = {
    "ce": "ce:CE",
    "fixed": "fixed:FIXED",
    "fixed-no-labels": "fixed:NO_LABELS",
    "grid": "grid:GRID",
    "grid2d": "grid2d:GRID2D",
    "grid-scale-free": "grid:SCALE_FREE",
    "random": "random_search:RANDOM",
    "optuna": "tpe:OPTUNA",
    "optuna+asha": "asha:OPTUNA_ASHA",
    "grid+asha": "asha:GRID_ASHA",
    "pbt": "pbt:PBT",
    "cosine-down": "cosine:DOWN",
    "cosine-up": "cosine:UP",
    "ctkd": "ctkd:CTKD",
    "logit_std": "logit_std:LOGIT_STD",
    "kd-std": "kd_std:KD_STD",
    "kd-std-detached": "kd_std:DETACHED",
    "normkd": "normkd:NORMKD",
    "ttm": "ttm:TTM",
    "wttm": "ttm:WTTM",
    "dkd": "dkd:DKD",
    "rld": "rld:RLD",
    "meta": "meta:META",
    "meta-starts": "meta:STARTS",
    "meta-held-out": "meta:HELD_OUT",
    "meta-shared": "meta:SHARED",
    "meta-per-class": "meta:PER_CLASS",
    "meta-per-sample": "meta:PER_SAMPLE",
    "meta-alpha": "meta:WITH_ALPHA",
    "align": "align:ALIGN",
    "align-shared": "align:SHARED",
    "metadistil": "metadistil:METADISTIL",
    "metadistil-no-pilot": "metadistil:NO_PILOT",
    "metadistil-own-quiz": "metadistil:OWN_QUIZ",
    "metadistil+tau": "metadistil:WITH_TEMPERATURES",
    "metadistil-reference": "metadistil:REFERENCE",
    "single": "several:SINGLE",
    "mean_losses": "several:MEAN_LOSSES",
    "mean_logits": "several:MEAN_LOGITS",
    "camkd": "several:CAMKD",
    "mean_features": "several:MEAN_FEATURES",
    "mmkd": "several:MMKD",
    "mmkd-logits": "several:MMKD_LOGITS",
    "mmkd-tau": "several:MMKD_TAU",
    "mmkd+tau": "several:MMKD_WITH_TEMPERATURES",
    "mmkd-reference": "several:MMKD_REFERENCE",
}
GROUP = "metakd.strategies"
"""Of the entry points by which installed packages add strategies."""

STRATEGIES: Registry[Strategy] = Registry(
    {name: f"metakd.strategies.{place}" for name, place in _PLACES.items()},
    group=GROUP,
)


def add_own(name: str) -> None:
    """Makes a strategy of a user's own known, by its place ``MODULE:STRATEGY``; others are passed.

    One of an installed package is imported, so that it is known to be one.

    Raises:
        StrategyError: If there is none, or the name stands for two.
    """
    is_own = name not in STRATEGIES and OWN_NAME.fullmatch(name) is not None
    try:
        if not is_own and (name in STRATEGIES.built_in or name not in STRATEGIES):
            return
        found = named(name) if is_own else STRATEGIES[name]
    except OwnCodeError as error:
        raise StrategyError(f"strategy {name!r}: {error}") from error
    if not isinstance(found, Strategy):
        raise StrategyError(
            f"{name!r} must be a metakd.strategies.Strategy, got {type(found).__name__}"
        )
    if is_own:
        STRATEGIES[name] = found


def own_module(name: str) -> str | None:
    """Returns the module of a strategy of a user's own, or of an installed one; else None."""
    place = STRATEGIES.place_if_installed(name) or name
    match = OWN_NAME.fullmatch(place)
    return None if match is None else match["module"]


def label_of(name: str, question: str = "") -> str:
    """Returns what sentences call a strategy; one that is unknown keeps its name.

    Args:
        name: Its name.
        question: The study's, as other questions name some strategies otherwise.
    """
    if name not in STRATEGIES:
        return name
    strategy = STRATEGIES[name]
    label, _ = strategy.names_in.get(question, (strategy.label, ""))
    return label or name


def headline_name(name: str, question: str = "") -> str:
    """Returns what headlines call a strategy.

    Args:
        name: Its name.
        question: The study's, as other questions name some strategies otherwise.
    """
    known = STRATEGIES[name].headline if name in STRATEGIES else ""
    return known or label_of(name, question)


def style_of(name: str, question: str = "") -> Style | None:
    """Returns how figures name and draw a strategy; None where it has no style of its own.

    Args:
        name: Its name.
        question: The study's, as other questions name some strategies otherwise.
    """
    style = STRATEGIES[name].style if name in STRATEGIES else None
    if style is None or question not in STRATEGIES[name].names_in:
        return style
    return style._replace(name=STRATEGIES[name].names_in[question][1])


__all__ = [
    "STRATEGIES",
    "Choices",
    "Search",
    "Segment",
    "Strategy",
    "StrategyError",
    "Style",
    "headline_name",
    "label_of",
    "own_module",
    "style_of",
]

"""Several teachers at once: each alone, all alike, by confidence, or by learned weights (MMKD)."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from metakd.strategies.strategy import Choices, Search, Segment, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import DistillerConfig, MMKDConfig

FEATURES_WEIGHT = 1.0
"""β of the methods that match features, whose distances are relative to the teachers' own size."""


def _each_alone(choices: Choices) -> Search:
    from metakd.core.distillers import KDConfig

    tau = choices.fixed_tau
    yield [
        Segment(KDConfig(tau, tau, choices.alpha), teacher=teacher)
        for teacher in range(choices.teachers)
    ]


def _of_all(
    method: str,
    **choice: Any,  # noqa: ANN401 - fields of the configuration
) -> Callable[[Choices], Search]:
    def configs(choices: Choices) -> "list[DistillerConfig]":
        from metakd.core.distillers import CONFIGS

        tau = choices.fixed_tau
        usual = {"tau_s": tau, "tau_t": tau, "alpha": choices.alpha}
        return [CONFIGS[method](**usual, **choice)]

    return at_once(configs)


def _as_published(choices: Choices) -> "list[MMKDConfig]":
    from metakd.core.distillers import MMKDConfig

    tau = choices.fixed_tau
    return [replace(MMKDConfig.reference(), tau_s=tau, tau_t=tau)]


def _several(
    about: str,
    search: Callable[[Choices], Search],
    alone: str,
    label: str,
    style: Style,
    with_features: bool = False,
) -> Strategy:
    return Strategy(
        about,
        search,
        label=label,
        style=style,
        takes_several=True,
        uses_features=with_features,
        with_one_teacher=alone,
    )


SINGLE = _several(
    "each teacher by itself",
    _each_alone,
    "fixed",
    "the best single teacher",
    Style("best single teacher", "@fixed", "circle", "solid", is_main=True),
)
MEAN_LOSSES = _several(
    "the mean of the teachers' losses",
    _of_all("mean_losses"),
    "fixed",
    "the mean of losses",
    Style("mean of losses", "@steel", "square", "solid", is_main=True),
)
MEAN_LOGITS = _several(
    "the mean of the teachers' logits",
    _of_all("mean_logits"),
    "fixed",
    "the mean of logits",
    Style("mean of logits", "@indigo", "circle", "solid"),
)
CAMKD = _several(
    "teachers weighted by confidence (CA-MKD)",
    _of_all("camkd"),
    "fixed",
    "confidence weights (CA-MKD)",
    Style("confidence (CA-MKD)", "@forest", "triangle-down", "solid"),
)
MEAN_FEATURES = _several(
    "the mean of losses, and all features matched alike",
    _of_all("mean_losses", features_weight=FEATURES_WEIGHT),
    "fixed with features",
    "the mean of losses and features",
    Style("mean with features", "@olive", "square", "dash"),
    with_features=True,
)
MMKD = _several(
    "learned weights of logits and features (MMKD)",
    _of_all("mmkd", features_weight=FEATURES_WEIGHT),
    "fixed with features",
    "MMKD",
    Style("MMKD", "@ember", "diamond", "solid", is_main=True),
    with_features=True,
)
MMKD_LOGITS = _several(
    "learned weights of logits",
    _of_all("mmkd"),
    "fixed",
    "MMKD without features",
    Style("MMKD, no features", "@magenta", "diamond", "solid"),
)
MMKD_TAU = _several(
    "the mean of losses at temperatures set by alignment scores",
    _of_all("mmkd", learns="temperatures"),
    "align",
    "learning temperatures alone",
    Style("learned τ alone", "@sky", "diamond-open", "solid"),
)
MMKD_WITH_TEMPERATURES = _several(
    "learned weights of logits and features, temperatures set by alignment scores",
    _of_all("mmkd", features_weight=FEATURES_WEIGHT, learns="both"),
    "align with features",
    "MMKD with learned temperatures",
    Style("MMKD, learned τ", "@wine", "diamond-open", "dash"),
    with_features=True,
)
MMKD_REFERENCE = _several(
    "MMKD as its authors' code has it",
    at_once(_as_published),
    "fixed with features",
    "MMKD as published",
    Style("MMKD as published", "@brown", "cross", "dash"),
    with_features=True,
)

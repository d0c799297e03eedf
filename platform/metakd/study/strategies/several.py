"""Several teachers at once: each alone, all alike, by confidence, or by learned weights (MMKD)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from metakd.core.distillers import (
    CAMKDConfig,
    DistillerConfig,
    KDConfig,
    MeanLogitsConfig,
    MeanLossesConfig,
    MMKDConfig,
    SeveralTeachersConfig,
)
from metakd.study.strategies.strategy import Choices, Leg, Search, Strategy, at_once

FEATURES_WEIGHT = 1.0
"""β of the methods that match features, whose distances are relative to the teachers' own size."""


def _each_alone(choices: Choices) -> Search:
    tau = choices.fixed_tau
    yield [
        Leg(KDConfig(tau, tau, choices.alpha), teacher=teacher)
        for teacher in range(choices.teachers)
    ]


def _of_all(
    kind: type[SeveralTeachersConfig],
    **choice: Any,  # noqa: ANN401 - fields of the configuration
) -> Callable[[Choices], Search]:
    def configs(choices: Choices) -> list[DistillerConfig]:
        tau = choices.fixed_tau
        return [kind(tau_s=tau, tau_t=tau, alpha=choices.alpha, **choice)]  # type: ignore[list-item]

    return at_once(configs)


def _as_published(choices: Choices) -> list[MMKDConfig]:
    tau = choices.fixed_tau
    return [replace(MMKDConfig.reference(), tau_s=tau, tau_t=tau)]


def _several(
    about: str, search: Callable[[Choices], Search], alone: str, with_features: bool = False
) -> Strategy:
    return Strategy(
        about, search, asks_several=True, asks_features=with_features, with_one_teacher=alone
    )


SINGLE = _several("each teacher by itself", _each_alone, "fixed")
MEAN_LOSSES = _several("the mean of the teachers' losses", _of_all(MeanLossesConfig), "fixed")
MEAN_LOGITS = _several("the mean of the teachers' logits", _of_all(MeanLogitsConfig), "fixed")
CAMKD = _several("teachers weighted by confidence (CA-MKD)", _of_all(CAMKDConfig), "fixed")
MEAN_FEATURES = _several(
    "the mean of losses, and all features matched alike",
    _of_all(MeanLossesConfig, features_weight=FEATURES_WEIGHT),
    "fixed with features",
    with_features=True,
)
MMKD = _several(
    "learned weights of logits and features (MMKD)",
    _of_all(MMKDConfig, features_weight=FEATURES_WEIGHT),
    "fixed with features",
    with_features=True,
)
MMKD_LOGITS = _several("learned weights of logits", _of_all(MMKDConfig), "fixed")
MMKD_TAU = _several(
    "the mean of losses at temperatures set by alignment scores",
    _of_all(MMKDConfig, learns="temperatures"),
    "align",
)
MMKD_WITH_TEMPERATURES = _several(
    "learned weights of logits and features, temperatures set by alignment scores",
    _of_all(MMKDConfig, features_weight=FEATURES_WEIGHT, learns="both"),
    "align with features",
    with_features=True,
)
MMKD_REFERENCE = _several(
    "MMKD as its authors' code has it",
    at_once(_as_published),
    "fixed with features",
    with_features=True,
)

"""A teacher that learns to teach (MetaDistil), and what of it matters."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from metakd.core.distillers import MetaDistilConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def _taught(**choice: Any) -> Callable[[Choices], list[MetaDistilConfig]]:  # noqa: ANN401 - fields of the configuration
    def configs(choices: Choices) -> list[MetaDistilConfig]:
        tau = choices.fixed_tau
        return [MetaDistilConfig(tau_s=tau, tau_t=tau, alpha=choices.alpha, **choice)]

    return configs


def _as_published(choices: Choices) -> list[MetaDistilConfig]:
    tau = choices.fixed_tau
    return [replace(MetaDistilConfig.reference(), tau_s=tau, tau_t=tau, alpha=choices.alpha)]


METADISTIL = Strategy("a teacher that learns to teach (MetaDistil)", at_once(_taught()))
NO_PILOT = Strategy("the same, judged by the student's real steps", at_once(_taught(pilot="none")))
OWN_QUIZ = Strategy(
    "the same, judged by the training batch itself", at_once(_taught(meta_data="train"))
)
WITH_TEMPERATURES = Strategy(
    "the same, with temperatures set by alignment scores of the same pilots",
    at_once(_taught(learns_temperatures=True)),
)
REFERENCE = Strategy("MetaDistil as its authors' code has it", at_once(_as_published))

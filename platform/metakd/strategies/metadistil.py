"""A teacher that learns to teach (MetaDistil), and what of it matters."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import MetaDistilConfig


def _taught(**choice: Any) -> "Callable[[Choices], list[MetaDistilConfig]]":  # noqa: ANN401 - fields of the configuration
    def configs(choices: Choices) -> "list[MetaDistilConfig]":
        from metakd.core.distillers import MetaDistilConfig

        tau = choices.fixed_tau
        return [MetaDistilConfig(tau_s=tau, tau_t=tau, alpha=choices.alpha, **choice)]

    return configs


def _as_published(choices: Choices) -> "list[MetaDistilConfig]":
    from metakd.core.distillers import MetaDistilConfig

    tau = choices.fixed_tau
    return [replace(MetaDistilConfig.reference(), tau_s=tau, tau_t=tau, alpha=choices.alpha)]


METADISTIL = Strategy(
    "a teacher that learns to teach (MetaDistil)",
    at_once(_taught()),
    label="the learning teacher",
    headline="a teacher that learns to teach",
    style=Style("learning teacher", "@plum", "diamond", "solid", is_main=True),
)
NO_PILOT = Strategy(
    "the same, judged by the student's real steps",
    at_once(_taught(pilot="none")),
    label="the learning teacher without the pilot",
    style=Style("learning, no pilot", "@teal", "circle", "dash"),
)
OWN_QUIZ = Strategy(
    "the same, judged by the training batch itself",
    at_once(_taught(meta_data="train")),
    label="the learning teacher quizzed on the training batch",
    style=Style("learning, own quiz", "@mustard", "square", "dash"),
)
WITH_TEMPERATURES = Strategy(
    "the same, with temperatures set by alignment scores of the same pilots",
    at_once(_taught(learns_temperatures=True)),
    label="the learning teacher with learned temperatures",
    style=Style("learning, learned τ", "@indigo", "diamond-open", "dash"),
)
REFERENCE = Strategy(
    "MetaDistil as its authors' code has it",
    at_once(_as_published),
    label="the learning teacher as published",
    style=Style("learning, published", "@rose", "cross", "dash"),
)

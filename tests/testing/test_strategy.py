import random

import pytest

from metakd.core.distillers import CrossEntropyConfig, DKDConfig, KDConfig
from metakd.strategies import STRATEGIES, Choices, Leg, Search, Strategy
from metakd.testing.strategy import check_strategy

KD = KDConfig()


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_the_rules(name: str) -> None:
    check_strategy(STRATEGIES[name], name)


def draws_globally(choices: Choices) -> Search:
    yield [Leg(KDConfig(tau_s=1 + random.random()))]


def never_ends(choices: Choices) -> Search:
    while True:
        yield [Leg(KD)]


def falls_silent(choices: Choices) -> Search:
    yield [Leg(KD)]
    while True:
        yield []


def asks_nothing(choices: Choices) -> Search:
    yield from ()


def begins_with_nothing(choices: Choices) -> Search:
    yield []
    yield [Leg(KD)]


def spends_one_too_many(choices: Choices) -> Search:
    yield [Leg(KDConfig(tau_s=1.0 + run)) for run in range(int(choices.budget) + 1)]


def stops_all(choices: Choices) -> Search:
    yield [Leg(KD, 1)]


def asks_a_teacher(choices: Choices) -> Search:
    yield [Leg(KD)]


def wants_three_classes(choices: Choices) -> Search:
    yield [Leg(DKDConfig())]


BROKEN = [
    (Strategy("", draws_globally), "asks something else when it is told the same"),
    (Strategy("", never_ends), "does not end"),
    (Strategy("", falls_silent), "does not end"),
    (Strategy("mine", asks_nothing), r"\(mine\) asks for nothing"),
    (Strategy("mine", begins_with_nothing, is_searcher=True), "asks for nothing"),
    (Strategy("", spends_one_too_many, is_searcher=True), "spends 2 runs of a budget of 1"),
    (Strategy("", stops_all), "has no whole run"),
    (Strategy("", asks_a_teacher, asks_teacher=False), "says that it asks no teacher"),
    (Strategy("", wants_three_classes), "is said to need 2 classes, but its dkd needs 3"),
]


@pytest.mark.parametrize(("strategy", "sentence"), BROKEN)
def test_a_broken_strategy_is_told_what_it_breaks(strategy: Strategy, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_strategy(strategy)


def test_a_searcher_that_stays_within_its_means_passes() -> None:
    def halves(choices: Choices) -> Search:
        (first,) = yield [Leg(CrossEntropyConfig(), choices.epochs // 2)]
        if first >= 0:
            yield [Leg(CrossEntropyConfig())]

    check_strategy(Strategy("", halves, asks_teacher=False, is_searcher=True))

import random

import pytest

from metakd.core.distillers import CrossEntropyConfig, DKDConfig, KDConfig
from metakd.strategies import STRATEGIES, Choices, Search, Segment, Strategy
from metakd.testing.strategy import check_strategy

KD = KDConfig()


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_the_rules(name: str) -> None:
    check_strategy(STRATEGIES[name], name)


def draws_globally(choices: Choices) -> Search:
    yield [Segment(KDConfig(tau_s=1 + random.random()))]


def never_ends(choices: Choices) -> Search:
    while True:
        yield [Segment(KD)]


def falls_silent(choices: Choices) -> Search:
    yield [Segment(KD)]
    while True:
        yield []


def yields_nothing(choices: Choices) -> Search:
    yield from ()


def begins_with_nothing(choices: Choices) -> Search:
    yield []
    yield [Segment(KD)]


def spends_one_too_many(choices: Choices) -> Search:
    yield [Segment(KDConfig(tau_s=1.0 + run)) for run in range(int(choices.budget) + 1)]


def stops_all(choices: Choices) -> Search:
    yield [Segment(KD, 1)]


def uses_a_teacher(choices: Choices) -> Search:
    yield [Segment(KD)]


def wants_three_classes(choices: Choices) -> Search:
    yield [Segment(DKDConfig())]


BROKEN = [
    (Strategy("", draws_globally), "yields other segments for the same accuracies"),
    (Strategy("", never_ends), "does not end"),
    (Strategy("", falls_silent), "does not end"),
    (Strategy("mine", yields_nothing), r"\(mine\) runs nothing"),
    (Strategy("mine", begins_with_nothing, is_searcher=True), "runs nothing"),
    (Strategy("", spends_one_too_many, is_searcher=True), "spends 2 runs of a budget of 1"),
    (Strategy("", stops_all), "has no whole run"),
    (Strategy("", uses_a_teacher, uses_teacher=False), "declares no teacher"),
    (Strategy("", wants_three_classes), "declares 2 classes or more, but its dkd needs 3"),
]


@pytest.mark.parametrize(("strategy", "sentence"), BROKEN)
def test_one_sentence_says_what_a_broken_strategy_breaks(strategy: Strategy, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_strategy(strategy)


def test_a_searcher_that_stays_within_its_means_passes() -> None:
    def halves(choices: Choices) -> Search:
        (first,) = yield [Segment(CrossEntropyConfig(), choices.epochs // 2)]
        if first >= 0:
            yield [Segment(CrossEntropyConfig())]

    check_strategy(Strategy("", halves, uses_teacher=False, is_searcher=True))

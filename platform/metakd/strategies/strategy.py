"""What a strategy is: a way to choose the temperature, as the runs that it asks for.

A strategy is a generator. It yields the legs that it wants run next, is sent what validation said
after each of them, and goes on until it has nothing more to ask. It may know nothing else of the
runs, and draws its random numbers from ``Choices.seed``: what it asks follows from what it was
told. So it is continued by telling it again what is in the store, and keeps no state of its own.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from metakd.errors import UserError

if TYPE_CHECKING:
    from metakd.core.distillers import DistillerConfig


class StrategyError(UserError):
    """A strategy asks for nothing, or for more than any sound one does."""


class Leg(NamedTuple):
    """A run, or the part of it up to an epoch.

    Attributes:
        distiller: How the student is taught.
        until: Epochs after which it is stopped; None runs it to its end. Asked again with more of
            them, it goes on from there.
        teacher: Which of the setting's teachers it asks, 0, 1, ...; None asks all of them.
    """

    distiller: "DistillerConfig"
    until: int | None = None
    teacher: int | None = None


Search = Generator[Sequence[Leg], Sequence[float], None]
"""Yields legs, is sent the validation accuracy in [0, 1] at the end of each, in their order."""


@dataclass(frozen=True)
class Choices:
    """What a strategy may know of its setting and seed.

    Attributes:
        temperatures: The grid, ascending; its ends are the range of whoever searches between.
        fixed_tau: The default temperature.
        alpha: Weight of the teacher's term.
        budget: What it may spend, in whole student runs.
        epochs: Of a whole run.
        num_classes: C.
        seed: Its own, another one in each setting and seed.
        teachers: How many the setting has.
    """

    temperatures: tuple[float, ...]
    fixed_tau: float
    alpha: float
    budget: float
    epochs: int
    num_classes: int
    seed: int
    teachers: int = 1

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest temperature of the grid."""
        return min(self.temperatures), max(self.temperatures)


class Style(NamedTuple):
    """How something is named and drawn in figures.

    Attributes:
        name: In legends and tables.
        colour: A token of the theme, "@grid" say.
        symbol: Of its marks.
        dash: Of its line.
    """

    name: str
    colour: str
    symbol: str
    dash: str

    @property
    def soft(self) -> str:
        """The colour of its band."""
        return f"{self.colour}-soft"


@dataclass(frozen=True)
class Strategy:
    """A way to choose the temperature.

    Attributes:
        about: What it does, in a few words.
        search: Starts it in one setting and seed.
        label: What sentences call it, "the grid" say; empty takes its name.
        style: How figures name and draw it; None takes what is free.
        names_in: The same two, label and name, in questions that put it in another light.
        asks_teacher: Whether its runs ask a teacher.
        asks_several: Whether it makes sense with several teachers, and with several alone.
        asks_features: Whether its runs ask for the teachers' features.
        with_one_teacher: What a strategy of several is where there is one.
        is_searcher: Whether it spends a budget; the others ask for a number of runs of their own.
        needs_range: Whether it needs temperatures to search between.
        min_classes: It makes no sense with fewer.
        min_runs: Nor with a smaller budget.
    """

    about: str
    search: Callable[[Choices], Search]
    label: str = ""
    style: Style | None = None
    names_in: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    asks_teacher: bool = True
    asks_several: bool = False
    asks_features: bool = False
    with_one_teacher: str = ""
    is_searcher: bool = False
    needs_range: bool = False
    min_classes: int = 2
    min_runs: int = 1


def at_once(
    configs: Callable[[Choices], Sequence["DistillerConfig"]],
) -> Callable[[Choices], Search]:
    """Returns the search of a strategy whose runs are known before any of them is run."""

    def search(choices: Choices) -> Search:
        yield [Leg(config) for config in configs(choices)]

    return search


def begin(strategy: Strategy, choices: Choices) -> tuple[Search, list[Leg]]:
    """Returns a strategy's search, and what it asks for before it has been told anything.

    Raises:
        StrategyError: If that is nothing.
    """
    search = strategy.search(choices)
    legs = list(next(search, ()))
    if not legs:
        raise StrategyError(
            f"a strategy ({strategy.about}) asks for nothing at its start: it has to yield a leg "
            "or more"
        )
    return search, legs


def first_legs(strategy: Strategy, choices: Choices) -> list[Leg]:
    """Returns what a strategy asks for before it has been told anything; see ``begin``."""
    return begin(strategy, choices)[1]

"""What a strategy is: a way to choose the temperature, as the segments of runs that it takes.

A strategy is a generator. It yields the segments to be run next, is sent the validation accuracy at
the end of each, and goes on until it needs no more. It uses nothing else of the runs, and draws its
random numbers from ``Choices.seed``: what it yields is a function of what it was sent. So it
is resumed by sending it what the store holds, and keeps no state of its own.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from metakd.errors import UserError

if TYPE_CHECKING:
    from metakd.core.distillers import DistillerConfig


class StrategyError(UserError):
    """A strategy yields no segment, or more than any sound one does."""


class Segment(NamedTuple):
    """A run, or the part of it up to an epoch.

    Attributes:
        distiller: How the student is taught.
        until: Epochs after which it is stopped; None runs it to its end. Yielded again with more
            of them, it goes on from there.
        teacher: Which of the setting's teachers it has, 0, 1, ...; None takes all of them.
    """

    distiller: "DistillerConfig"
    until: int | None = None
    teacher: int | None = None


Search = Generator[Sequence[Segment], Sequence[float], None]
"""Yields segments, is sent the validation accuracy in [0, 1] at the end of each, in order."""


@dataclass(frozen=True)
class Choices:
    """What a strategy depends on, beside validation accuracies, in its setting and seed.

    Attributes:
        temperatures: The grid, ascending; its ends are the range to search.
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
        is_main: Whether its line stands out: what a study is about, and what it is compared with.
    """

    name: str
    colour: str
    symbol: str
    dash: str
    is_main: bool = False

    @property
    def soft(self) -> str:
        """The colour of its band."""
        return f"{self.colour}-soft"


@dataclass(frozen=True)
class Strategy:
    """A way to choose the temperature.

    Attributes:
        about: What it does, in a few words.
        search: Returns its generator in one setting and seed.
        label: What sentences call it, "the grid" say; empty takes its name.
        headline: What headlines call it, where that says more; empty takes its label.
        style: How figures name and draw it; None takes what is free.
        names_in: The same two, label and name, in questions that put it in another light.
        uses_teacher: Whether its runs have a teacher.
        takes_several: Whether it makes sense with several teachers, and with several alone.
        uses_features: Whether its runs use the teachers' features.
        with_one_teacher: What a strategy of several is where there is one.
        is_searcher: Whether it spends a budget; the others take a number of runs of their own.
        needs_range: Whether it needs temperatures to search between.
        min_classes: It makes no sense with fewer.
        min_runs: Nor with a smaller budget.
        mixed_labels: What it takes of labels that are spread over classes, as mixup makes them:
            all of it, the largest share as the true class, or nothing: then it does not fit.
    """

    about: str
    search: Callable[[Choices], Search]
    label: str = ""
    headline: str = ""
    style: Style | None = None
    names_in: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    uses_teacher: bool = True
    takes_several: bool = False
    uses_features: bool = False
    with_one_teacher: str = ""
    is_searcher: bool = False
    needs_range: bool = False
    min_classes: int = 2
    min_runs: int = 1
    mixed_labels: Literal["all", "largest", "none"] = "all"


def at_once(
    configs: Callable[[Choices], Sequence["DistillerConfig"]],
) -> Callable[[Choices], Search]:
    """Returns the generator of a strategy whose runs are all known at its start."""

    def search(choices: Choices) -> Search:
        yield [Segment(config) for config in configs(choices)]

    return search


def begin(strategy: Strategy, choices: Choices) -> tuple[Search, list[Segment]]:
    """Returns a strategy's generator, and its first segments.

    Raises:
        StrategyError: If there are none.
    """
    search = strategy.search(choices)
    segments = list(next(search, ()))
    if not segments:
        raise StrategyError(
            f"a strategy ({strategy.about}) runs nothing at its start: it has to yield a segment "
            "or more"
        )
    return search, segments


def first_segments(strategy: Strategy, choices: Choices) -> list[Segment]:
    """Returns the first segments of a strategy; see ``begin``."""
    return begin(strategy, choices)[1]

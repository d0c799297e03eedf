"""Early stopping by asynchronous successive halving: of the grid, and of what TPE proposes.

One run goes on at a time. At a rung it is stopped unless it is among the best third of those that
came by there, itself included; while there are fewer than three, unless it is the best. Source: Li
et al. 2020 (arXiv 1810.05934), as Optuna's ``SuccessiveHalvingPruner`` has it.
"""

from collections.abc import Generator, Iterator
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from metakd.strategies.strategy import Choices, Search, Segment, Strategy, Style
from metakd.strategies.tpe import new_search, plain_kd, temperatures

if TYPE_CHECKING:
    import optuna

    from metakd.core.distillers import DistillerConfig

REDUCTION = 3
FIRST_RUNG = 9
"""The first rung is at one in so many of a run's epochs."""


class Asha:
    """Runs of one budget, stopped at rungs.

    Args:
        choices: The setting.

    Attributes:
        study: Optuna's record of the runs; it proposes further temperatures.
        spent: What was run so far, in whole runs.
    """

    def __init__(self, choices: Choices) -> None:
        from optuna.pruners import SuccessiveHalvingPruner

        first = ceil(choices.epochs / FIRST_RUNG)
        pruner = SuccessiveHalvingPruner(min_resource=first, reduction_factor=REDUCTION)
        self.study = new_search(choices, pruner)
        self._ends = [*_rungs(first, choices.epochs), choices.epochs]
        self._choices = choices
        self.spent = 0.0

    def can_afford_a_rung(self) -> bool:
        """Says whether the budget holds the first part of another run."""
        return self.spent + self._ends[0] / self._choices.epochs <= self._choices.budget + 1e-9

    def run(
        self, trial: "optuna.trial.Trial", distiller: "DistillerConfig"
    ) -> Generator[list[Segment], list[float], None]:
        """Runs one configuration for as long as it is among the best, or the budget lasts.

        Args:
            trial: Optuna's trial of it.
            distiller: The configuration.
        """
        from optuna.trial import TrialState

        done, val_acc, state = 0, 0.0, TrialState.COMPLETE
        for end in self._ends:
            cost = (end - done) / self._choices.epochs
            if self.spent + cost > self._choices.budget + 1e-9:
                break
            (val_acc,) = yield [Segment(distiller, end if end < self._choices.epochs else None)]
            self.spent, done = self.spent + cost, end
            trial.report(val_acc, step=end)
            if end < self._choices.epochs and trial.should_prune():
                state = TrialState.PRUNED
                break
        self.study.tell(trial, None if state is TrialState.PRUNED else val_acc, state)


def _rungs(first: int, epochs: int) -> Iterator[int]:
    rung = first
    while rung < epochs:
        yield rung
        rung *= REDUCTION


def _search_grid(choices: Choices) -> Search:
    from metakd.core.distillers import KDConfig

    asha = Asha(choices)
    # In rising order the first, which is never stopped, would always be the lowest.
    order = np.random.default_rng(choices.seed).permutation(len(choices.temperatures))
    for tau in (choices.temperatures[index] for index in order):
        if asha.can_afford_a_rung():
            yield from asha.run(asha.study.ask(), KDConfig(tau, tau, choices.alpha))


def _search_tpe(choices: Choices) -> Search:
    asha = Asha(choices)
    while asha.can_afford_a_rung():
        trial = asha.study.ask(temperatures(choices))
        yield from asha.run(trial, plain_kd(trial, choices))


GRID_ASHA = Strategy(
    "the grid, bad runs stopped early (ASHA)",
    _search_grid,
    style=Style("grid + ASHA", "@sky", "circle-open", "dash"),
    is_searcher=True,
)
OPTUNA_ASHA = Strategy(
    "Bayesian search (TPE), bad runs stopped early (ASHA)",
    _search_tpe,
    style=Style("Optuna + ASHA", "@magenta", "star", "dash"),
    is_searcher=True,
    needs_range=True,
)

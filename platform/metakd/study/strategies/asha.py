"""Early stopping by ASHA, through Ray Tune's scheduler: of the grid, and of what TPE proposes.

One run goes on at a time. At a rung it is stopped unless it is among the best third of those that
came by there before; the first one always goes on. Source: Li et al. 2020 (arXiv 1810.05934).
"""

from collections.abc import Generator, Iterator
from math import ceil
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from metakd.core.distillers import DistillerConfig, KDConfig
from metakd.study.strategies.strategy import Choices, Leg, Search, Strategy
from metakd.study.strategies.tpe import Tpe

REDUCTION = 3
FIRST_RUNG = 9
"""The first rung is at one in so many of a run's epochs."""


class Asha:
    """Says which runs go on beyond a rung.

    Args:
        choices: The setting.

    Attributes:
        spent: What was run so far, in whole runs.
    """

    def __init__(self, choices: Choices) -> None:
        first = ceil(choices.epochs / FIRST_RUNG)
        self._scheduler = ASHAScheduler(
            time_attr="epoch",
            metric="val_acc",
            mode="max",
            max_t=choices.epochs,
            grace_period=first,
            reduction_factor=REDUCTION,
        )
        self._ends = [*_rungs(first, choices.epochs), choices.epochs]
        self._choices = choices
        self._runs = 0
        self.spent = 0.0

    def can_afford_a_rung(self) -> bool:
        """Says whether the budget holds the first part of another run."""
        return self.spent + self._ends[0] / self._choices.epochs <= self._choices.budget + 1e-9

    def run(self, distiller: DistillerConfig) -> Generator[list[Leg], list[float], float]:
        """Runs one configuration for as long as it is among the best, or the budget lasts.

        Returns:
            The validation accuracy where it ended.
        """
        self._runs += 1
        # The scheduler asks a trial for nothing but its id.
        trial: Any = SimpleNamespace(trial_id=str(self._runs))
        self._scheduler.on_trial_add(None, trial)
        done, val_acc = 0, 0.0
        for end in self._ends:
            cost = (end - done) / self._choices.epochs
            if self.spent + cost > self._choices.budget + 1e-9:
                break
            (val_acc,) = yield [Leg(distiller, end if end < self._choices.epochs else None)]
            self.spent, done = self.spent + cost, end
            result = {"epoch": end, "val_acc": val_acc}
            if self._scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                break
        return val_acc


def _rungs(first: int, epochs: int) -> Iterator[int]:
    rung = first
    while rung < epochs:
        yield rung
        rung *= REDUCTION


def _search_grid(choices: Choices) -> Search:
    asha = Asha(choices)
    # In rising order the first, which is never stopped, would always be the lowest.
    order = np.random.default_rng(choices.seed).permutation(len(choices.temperatures))
    for tau in (choices.temperatures[index] for index in order):
        if asha.can_afford_a_rung():
            yield from asha.run(KDConfig(tau, tau, choices.alpha))


def _search_tpe(choices: Choices) -> Search:
    asha, tpe = Asha(choices), Tpe(choices)
    while asha.can_afford_a_rung():
        tpe.tell((yield from asha.run(tpe.propose())))


GRID_ASHA = Strategy("the grid, bad runs stopped early (ASHA)", _search_grid, is_searcher=True)
OPTUNA_ASHA = Strategy(
    "Bayesian search (TPE), bad runs stopped early (ASHA)",
    _search_tpe,
    is_searcher=True,
    needs_range=True,
)

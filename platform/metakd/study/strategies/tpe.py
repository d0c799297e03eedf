"""Bayesian search by Optuna's tree-structured Parzen estimator, through Ray Tune's OptunaSearch.

Source: Bergstra et al. 2011 (NeurIPS 24).
"""

import optuna
from ray.tune.search.optuna import OptunaSearch

from metakd.core.distillers import KDConfig
from metakd.study.strategies.strategy import Choices, Leg, Search, Strategy

METRIC = "val_acc"
RANDOM_SHARE = 3
"""One in so many runs is drawn at random, to begin with; Optuna's ten would leave nothing else."""


class Tpe:
    """Proposes temperatures from what it was told of earlier ones."""

    def __init__(self, choices: Choices) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        low, high = choices.range
        self._searcher = OptunaSearch(
            {"tau": optuna.distributions.FloatDistribution(low, high, log=True)},
            metric=METRIC,
            mode="max",
            sampler=optuna.samplers.TPESampler(
                n_startup_trials=max(2, round(choices.budget / RANDOM_SHARE)),
                seed=choices.seed % 2**32,
            ),
        )
        self._alpha = choices.alpha
        self._proposed = 0

    def propose(self) -> KDConfig:
        """Returns the next run."""
        self._proposed += 1
        proposal = self._searcher.suggest(str(self._proposed))
        assert proposal is not None
        return KDConfig(proposal["tau"], proposal["tau"], self._alpha)

    def tell(self, val_acc: float) -> None:
        """Hears what the last proposed run reached."""
        self._searcher.on_trial_complete(str(self._proposed), {METRIC: val_acc})


def _search(choices: Choices) -> Search:
    tpe = Tpe(choices)
    for _ in range(int(choices.budget)):
        (val_acc,) = yield [Leg(tpe.propose())]
        tpe.tell(val_acc)


OPTUNA = Strategy(
    "Bayesian search (TPE), run after run", _search, is_searcher=True, needs_range=True
)

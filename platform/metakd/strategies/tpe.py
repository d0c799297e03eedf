"""Bayesian search by Optuna's tree-structured Parzen estimator.

Source: Bergstra et al. 2011 (NeurIPS 24).
"""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Search, Segment, Strategy, Style

if TYPE_CHECKING:
    import optuna

    from metakd.core.distillers import KDConfig

RANDOM_SHARE = 3
"""One in so many runs is drawn at random, to begin with; Optuna's ten would leave nothing else."""


def temperatures(choices: Choices) -> "dict[str, optuna.distributions.BaseDistribution]":
    """Returns what is searched: one temperature, evenly over its logarithm."""
    from optuna.distributions import FloatDistribution

    low, high = choices.range
    return {"tau": FloatDistribution(low, high, log=True)}


def new_search(
    choices: Choices, pruner: "optuna.pruners.BasePruner | None" = None
) -> "optuna.study.Study":
    """Returns an Optuna study that proposes temperatures by TPE and maximises validation accuracy.

    Args:
        choices: The setting; its seed is the sampler's.
        pruner: What ends bad runs early; None ends none.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=max(2, round(choices.budget / RANDOM_SHARE)), seed=choices.seed % 2**32
    )
    return optuna.create_study(
        direction="maximize", sampler=sampler, pruner=pruner or optuna.pruners.NopPruner()
    )


def plain_kd(trial: "optuna.trial.Trial", choices: Choices) -> "KDConfig":
    """Returns the run of the temperature that a trial proposes."""
    from metakd.core.distillers import KDConfig

    return KDConfig(trial.params["tau"], trial.params["tau"], choices.alpha)


def _search(choices: Choices) -> Search:
    study = new_search(choices)
    for _ in range(int(choices.budget)):
        trial = study.ask(temperatures(choices))
        (val_acc,) = yield [Segment(plain_kd(trial, choices))]
        study.tell(trial, val_acc)


OPTUNA = Strategy(
    "Bayesian search (TPE), run after run",
    _search,
    style=Style("Optuna", "@violet", "star", "solid"),
    is_searcher=True,
    needs_range=True,
)

"""What every strategy has to do, whatever the validation accuracies."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from metakd.core.recipe import Recipe
from metakd.data.counter_random import derive_seed
from metakd.strategies.strategy import Choices, Strategy, StrategyError
from metakd.study.cases import Case, Job, Setting
from metakd.study.searching import Searching
from metakd.train.sampling import Sampling
from metakd.train.trial import DataSpec, TeacherSpec, Trial

EPOCHS, CLASSES = 12, 5
SEVERAL = 3
"""Teachers of a strategy that takes several."""
BUDGETS = (1.0, 2.0, 5.0, 6.5)
ROUNDING = 1e-9

Accuracies = Callable[[Trial], float]
"""Validation accuracy after a trial's last epoch, in [0, 1]."""


def check_strategy(strategy: Strategy, name: str = "it") -> None:
    """Checks that a strategy keeps to what a study needs of it.

    At several budgets, and for random accuracies, equal ones and none but zeros: it ends; the same
    accuracies give the same segments, whatever the state of the global random generators; it has a
    whole run in the end; a searcher spends no more than its budget; its distillers use a teacher
    only if it declares one, and need no more classes than it declares.

    Args:
        strategy: The strategy, registered or not.
        name: What to call it in messages.

    Raises:
        AssertionError: If a check fails; one sentence says which.
    """
    for budget in (budget for budget in BUDGETS if budget >= strategy.min_runs):
        for accuracies in (_drawn(7), _drawn(11), lambda trial: 0.5, lambda trial: 0.0):
            with _global_seed(1):
                first = _run(strategy, name, budget, accuracies)
            with _global_seed(2):
                second = _run(strategy, name, budget, accuracies)
            assert [job.trial.id for job in first] == [job.trial.id for job in second], (
                f"{name} yields other segments for the same accuracies: draw from choices.seed only"
            )
            _check(strategy, name, budget, first)


def _check(strategy: Strategy, name: str, budget: float, jobs: Sequence[Job]) -> None:
    assert any(job.trial.stop_after is None for job in jobs), (
        f"{name} has no whole run at a budget of {budget:g}: nothing can be reported of it"
    )
    spent = sum(job.trial.epochs - job.from_epoch for job in jobs) / EPOCHS
    assert not strategy.is_searcher or spent <= budget + ROUNDING, (
        f"{name} spends {spent:g} runs of a budget of {budget:g}"
    )
    for trial in (job.trial for job in jobs):
        assert strategy.takes_several or not trial.distiller.takes_several, (
            f"{name} declares one teacher, but its {trial.distiller.method} takes several"
        )
        assert strategy.uses_features or not trial.distiller.uses_features, (
            f"{name} declares no features, but its {trial.distiller.method} uses them"
        )
    for distiller in (job.trial.distiller for job in jobs):
        assert strategy.uses_teacher or not distiller.uses_teacher, (
            f"{name} declares no teacher, but its {distiller.method} uses one"
        )
        assert distiller.min_classes <= strategy.min_classes, (
            f"{name} declares {strategy.min_classes} classes or more, but its {distiller.method} "
            f"needs {distiller.min_classes}"
        )


def _run(strategy: Strategy, name: str, budget: float, accuracies: Accuracies) -> list[Job]:
    data = DataSpec("made up", "0")
    recipe = Recipe(epochs=EPOCHS)
    count = SEVERAL if strategy.takes_several else 1
    teachers = tuple(TeacherSpec(data, "teacher", "none", recipe, seed) for seed in range(count))
    setting = Setting(data, Sampling(1.0, "none"), teachers, "student")
    case = Case(
        setting, recipe, 0, (1, 8, 8), CLASSES, None, samples=100, held_out=20, train_samples=100
    )
    choices = Choices(
        temperatures=(1.0, 2.0, 4.0, 8.0, 16.0),
        fixed_tau=4.0,
        alpha=0.9,
        budget=budget,
        epochs=EPOCHS,
        num_classes=CLASSES,
        seed=2**62 + 1,
        teachers=count,
    )
    known: dict[str, float] = {}
    try:
        search = Searching(name, strategy, case, choices)
        while wanted := search.wants(lambda trial: known.get(trial.id)):
            known[wanted[0].trial.id] = accuracies(wanted[0].trial)
    except StrategyError as error:
        raise AssertionError(str(error)) from error
    return search.behind


def _drawn(seed: int) -> Accuracies:
    """Returns accuracies without a pattern, the same for the same trial."""
    return lambda trial: derive_seed(seed, trial.id) / 2**63


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seeds the global random generators inside, and leaves them as they were."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(seed)
            np.random.seed(seed)
            torch.default_generator.manual_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)

"""A strategy at work in one setting and seed: what it asked, and what it was told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from metakd.strategies import STRATEGIES
from metakd.strategies.strategy import Choices, Leg, Strategy, StrategyError, begin
from metakd.study.cases import Case, Job
from metakd.study.plan import Plan
from metakd.train.trial import Trial

MOST_LEGS_A_RUN = 100


class Searching:
    """A search between its first leg and its last.

    It is the same at every run of a study: told the same, it asks the same.

    Args:
        name: Of the strategy.
        strategy: What it does.
        case: The setting and seed.
        choices: What it may know of them.
        first: The trials that it runs first, where they are known already.

    Raises:
        StrategyError: If it asks for nothing.

    Attributes:
        name: Of the strategy.
        case: The setting and seed.
        behind: The legs that it has behind it, in the order of asking: run for it, or found.
        waits_for: The legs that it has asked and was not told of yet.
        is_complete: Whether it has nothing more to ask.
        expected_runs: What it will spend, in whole runs, as far as can be said before.
    """

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        case: Case,
        choices: Choices,
        first: Sequence[Job] | None = None,
    ) -> None:
        self.name = name
        self.case = case
        self.behind: list[Job] = []
        self.is_complete = False
        self._search, legs = begin(strategy, choices)
        self.expected_runs = choices.budget if strategy.is_searcher else float(len(legs))
        self._paid: dict[str, int] = {}
        self._answered = 0
        self._asked = self._jobs(legs) if first is None else list(first)
        self.waits_for = self._asked

    def wants(self, val_acc: Callable[[Trial], float | None]) -> list[Job]:
        """Tells it what is known, and returns what it waits for; empty when it is complete.

        Args:
            val_acc: Validation accuracy after a trial's last epoch, None where it has not run.

        Raises:
            StrategyError: If it goes on and on.
        """
        while not self.is_complete:
            # Who asks for nothing, over and over, has no legs to count.
            asked = max(self._answered, len(self.behind))
            if asked > MOST_LEGS_A_RUN * (self.expected_runs + 1):
                raise StrategyError(
                    f"strategy {self.name!r} does not end: it has asked {self._answered} times, "
                    f"{len(self.behind)} legs in all, and was to spend {self.expected_runs:g} runs"
                )
            told = [val_acc(job.trial) for job in self._asked]
            self.waits_for = [
                job for job, value in zip(self._asked, told, strict=True) if value is None
            ]
            if self.waits_for:
                return self.waits_for
            for job in self._asked:
                own = job.trial.whole.id
                self._paid[own] = max(self._paid.get(own, 0), job.trial.epochs)
            self.behind += self._asked
            self._answered += 1
            try:
                legs = self._search.send([value for value in told if value is not None])
                self._asked = self._jobs(legs)
            except StopIteration:
                self._asked, self.is_complete = [], True
        return []

    @property
    def runs_to_come(self) -> float:
        """What it is expected to ask for after what it has asked now, in whole runs."""
        if self.is_complete:
            return 0.0
        epochs = self.case.recipe.epochs
        asked = [*self.behind, *self._asked]
        spent = sum(job.trial.epochs - job.from_epoch for job in asked) / epochs
        return max(0.0, self.expected_runs - spent)

    def trainings(self) -> set[str]:
        """Returns the ids of all trainings whose states may have been kept for it."""
        stopped = [job.trial for job in self.behind if job.trial.stop_after is not None]
        return {training for trial in stopped for training, _ in trial.origins}

    def rows(self, covering: Callable[[Trial], str]) -> Iterator[dict[str, Any]]:
        """Yields its legs, also those that it waits for, as rows of ``schema.SEARCHES``.

        Args:
            covering: Names the committed trial that a leg's epochs are in.
        """
        setting = self.case.setting
        for position, job in enumerate([*self.behind, *self._asked]):
            is_behind = position < len(self.behind)
            yield {
                "strategy": self.name,
                "dataset": setting.data.dataset,
                "scale": setting.sampling.scale,
                "augmentation": setting.sampling.augmentation,
                "teacher": setting.teachers_name,
                "student": setting.student,
                "seed": self.case.seed,
                "position": position,
                "trial_id": covering(job.trial) if is_behind else job.trial.id,
                "from_epoch": job.from_epoch,
                "until_epoch": job.trial.epochs,
                "is_complete": self.is_complete,
            }

    def _jobs(self, legs: Sequence[Leg]) -> list[Job]:
        return [self._after_what_is_paid(self.case.job(leg)) for leg in legs]

    def _after_what_is_paid(self, job: Job) -> Job:
        if not self._paid:
            return job
        origins = job.trial.origins
        paid = max(min(self._paid.get(training, 0), shared) for training, shared in origins)
        return replace(job, from_epoch=paid)


def searches_of(plan: Plan) -> list[Searching]:
    """Returns all strategies of a plan at work, each at its beginning.

    Raises:
        StrategyError: If one runs nothing.
    """
    return [
        Searching(name, STRATEGIES[name], case, *beginning)
        for (name, case), beginning in zip(plan.strategy_runs, plan.beginnings, strict=True)
    ]

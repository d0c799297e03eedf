"""A strategy in one setting and seed: the segments that it yielded, and which are still to run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from metakd.strategies import STRATEGIES
from metakd.strategies.strategy import Choices, Segment, Strategy, StrategyError, begin
from metakd.study.cases import Case, Job
from metakd.study.plan import Plan
from metakd.train.trial import Trial

MOST_SEGMENTS_A_RUN = 100


class Searching:
    """A strategy between its first segment and its last.

    It is the same at every run of a study: the same results give the same segments.

    Args:
        name: Of the strategy.
        strategy: What it does.
        case: The setting and seed.
        choices: What it may know of them.
        first: The trials that it runs first, where they are known already.

    Raises:
        StrategyError: If it yields nothing.

    Attributes:
        name: Of the strategy.
        case: The setting and seed.
        behind: The segments that have ended, in the strategy's order.
        waits_for: Those that it yielded and that have not ended.
        is_complete: Whether it needs no more.
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
        self._search, segments = begin(strategy, choices)
        self.expected_runs = choices.budget if strategy.is_searcher else float(len(segments))
        self._paid: dict[str, int] = {}
        self._rounds = 0
        self._yielded = self._jobs(segments) if first is None else list(first)
        self.waits_for = self._yielded

    def wants(self, val_acc: Callable[[Trial], float | None]) -> list[Job]:
        """Sends it what is known, and returns what it waits for; empty when it is complete.

        Args:
            val_acc: Validation accuracy after a trial's last epoch, None where it has not run.

        Raises:
            StrategyError: If it goes on and on.
        """
        while not self.is_complete:
            # One that yields nothing, over and over, has no segments to count.
            if max(self._rounds, len(self.behind)) > MOST_SEGMENTS_A_RUN * (self.expected_runs + 1):
                raise StrategyError(
                    f"strategy {self.name!r} does not end: it has yielded {self._rounds} times, "
                    f"{len(self.behind)} segments in all, and was to spend {self.expected_runs:g} "
                    "runs"
                )
            known = [val_acc(job.trial) for job in self._yielded]
            self.waits_for = [
                job for job, value in zip(self._yielded, known, strict=True) if value is None
            ]
            if self.waits_for:
                return self.waits_for
            for job in self._yielded:
                own = job.trial.whole.id
                self._paid[own] = max(self._paid.get(own, 0), job.trial.epochs)
            self.behind += self._yielded
            self._rounds += 1
            try:
                segments = self._search.send([value for value in known if value is not None])
                self._yielded = self._jobs(segments)
            except StopIteration:
                self._yielded, self.is_complete = [], True
        return []

    @property
    def runs_to_come(self) -> float:
        """What it is expected to yield after what it has yielded now, in whole runs."""
        if self.is_complete:
            return 0.0
        epochs = self.case.recipe.epochs
        so_far = [*self.behind, *self._yielded]
        spent = sum(job.trial.epochs - job.from_epoch for job in so_far) / epochs
        return max(0.0, self.expected_runs - spent)

    def trainings(self) -> set[str]:
        """Returns the ids of all trainings whose states may have been kept for it."""
        stopped = [job.trial for job in self.behind if job.trial.stop_after is not None]
        return {training for trial in stopped for training, _ in trial.origins}

    def rows(self, covering: Callable[[Trial], str]) -> Iterator[dict[str, Any]]:
        """Yields its segments, also those that it waits for, as rows of ``schema.SEARCHES``.

        Args:
            covering: Names the committed trial that a segment's epochs are in.
        """
        setting = self.case.setting
        for position, job in enumerate([*self.behind, *self._yielded]):
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

    def _jobs(self, segments: Sequence[Segment]) -> list[Job]:
        return [self._after_what_is_paid(self.case.job(segment)) for segment in segments]

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

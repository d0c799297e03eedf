"""Schedulers of given trials, and one that has another for as long as a test waits."""

from collections.abc import Callable, Iterable

from metakd.study.cases import Job
from metakd.study.curves import Curves
from metakd.study.scheduler import AnyJob, Scheduler


class SchedulerOfJobs(Scheduler):
    """Has trials that no strategy runs.

    Args:
        curves: What is in the store.
        jobs: The trials.
    """

    def __init__(self, curves: Curves, jobs: Iterable[Job]) -> None:
        super().__init__(curves)
        for job in jobs:
            self._put(job, self._late)


class RefilledScheduler(Scheduler):
    """Never runs out of trials before something has been seen, however long that takes.

    A test with a fixed number of trials needs as many as the slowest machine would.

    Args:
        curves: What is in the store.
        jobs: Trials, given one by one; when they are out, the test has waited long enough.
        is_seen: Says whether no more trials are wanted.
    """

    def __init__(self, curves: Curves, jobs: Iterable[Job], is_seen: Callable[[], bool]) -> None:
        super().__init__(curves)
        self._source = iter(jobs)
        self._is_seen = is_seen
        self.given: list[Job] = []

    def next_job(self) -> AnyJob | None:
        if not self.known() and not self._is_seen():
            job = next(self._source, None)
            if job is not None:
                self.given.append(job)
                self._put(job, self._late)
        return super().next_job()

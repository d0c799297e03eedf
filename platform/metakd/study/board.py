"""What is to be run next: trials that the plan knows, and those that searches ask for in turn."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from metakd.study.cases import Job
from metakd.study.curves import Curves
from metakd.study.searching import Searching


class Board:
    """Hands out jobs until everything asked for has run.

    Seed by seed: what is finished early is complete pairs. Within a seed what searches wait for
    comes first, since the rest of a search comes after it.

    Args:
        curves: What is in the store.
        jobs: Trials of the plan that are not finished.
        searches: All searches; what is in the store is told them at once.
        on_complete: Told of a search that ends from now on.
    """

    def __init__(
        self,
        curves: Curves,
        jobs: Iterable[Job],
        searches: Iterable[Searching] = (),
        on_complete: Callable[[Searching], None] = lambda search: None,
    ) -> None:
        self._curves = curves
        self._on_complete = on_complete
        self._searches = list(searches)
        self._planned: dict[int, deque[Job]] = {}
        self._asked: dict[int, deque[Job]] = {}
        self._waiting: dict[str, list[Searching]] = {}
        # Handed out or about to be: ids, and what became of them.
        self._open: set[str] = set()
        self._failed: set[str] = set()
        for job in jobs:
            self._put(job, self._planned)
        for search in self._searches:
            self._advance(search)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to run, and nothing runs."""
        return not self._open

    def planned(self) -> list[Job]:
        """Returns the trials of the plan that nobody has been given yet."""
        return [job for queue in self._planned.values() for job in queue]

    def unfinished(self) -> list[Searching]:
        """Returns the searches that are not complete."""
        return [search for search in self._searches if not search.is_complete]

    def waiting(self) -> int:
        """Returns how many jobs could be handed out now."""
        return len(self.known())

    def known(self) -> list[Job]:
        """Returns the jobs that could be handed out now."""
        return [
            job for queues in (self._planned, self._asked) for q in queues.values() for job in q
        ]

    def bank_ids(self) -> set[str]:
        """Returns the banks that the jobs need, also those that searches will ask for."""
        here = [job.bank for job in self.known()]
        here += [search.case.bank for search in self.unfinished()]
        return {bank.id for bank in here if bank is not None}

    def trial_ids(self) -> set[str]:
        """Returns the ids of the trials that searches have behind them."""
        return {self._curves.covering(job.trial) for s in self._searches for job in s.behind}

    def ended_trainings(self) -> set[str]:
        """Returns the ids of trainings whose states nobody will ask for any more."""
        ended = [search for search in self._searches if search.is_complete]
        return {training for search in ended for training in search.trainings()}

    def next_job(self) -> Job | None:
        """Hands out a job; None while all that is left waits for what runs."""
        for seed in sorted(self._planned.keys() | self._asked.keys()):
            for queue in (self._asked.get(seed), self._planned.get(seed)):
                if queue:
                    return queue.popleft()
        return None

    def put_back(self, job: Job) -> None:
        """Takes back a job that failed and is to be tried again: it is its seed's next one."""
        self._asked.setdefault(job.trial.seed, deque()).appendleft(job)

    def done(self, job: Job) -> None:
        """Hears that a job's trial is in the store.

        Raises:
            StoreError: If its curve cannot be read.
        """
        self._open.discard(job.trial.id)
        self._curves.add(job.trial.id)
        for search in self._waiting.pop(job.trial.id, []):
            self._advance(search)
            if search.is_complete:
                self._on_complete(search)

    def failed(self, job: Job) -> None:
        """Hears that a job failed for the last time: searches that wait for it stay where they are.

        The next run of the study tries it again.
        """
        self._open.discard(job.trial.id)
        self._failed.add(job.trial.id)

    def rows(self) -> list[dict[str, Any]]:
        """Returns what searches have asked so far, as rows of ``schema.SEARCHES``."""
        return [row for search in self._searches for row in search.rows(self._curves.covering)]

    def _advance(self, search: Searching) -> None:
        for job in search.wants(self._curves.val_acc):
            whole = job.trial.whole.id
            # A longer run of the same training that is on its way will show these epochs, too.
            trial_id = whole if whole in self._open else job.trial.id
            waiting = self._waiting.setdefault(trial_id, [])
            if search not in waiting:
                waiting.append(search)
            if trial_id not in self._open and trial_id not in self._failed:
                self._put(job, self._asked)

    def _put(self, job: Job, queues: dict[int, deque[Job]]) -> None:
        self._open.add(job.trial.id)
        queues.setdefault(job.trial.seed, deque()).append(job)

"""What is to be run next: preparations, and the trials that strategies run."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from metakd.results.seeds import seed_number
from metakd.study.cases import Job
from metakd.study.curves import Curve, Curves
from metakd.study.preparation import PreparationJob
from metakd.study.searching import Searching

AnyJob = Job | PreparationJob


class Scheduler:
    """The next job of a study, until all have run.

    Teachers come first, then seed by seed: what is finished early is complete pairs. Within a seed
    its views and logits come first, then trials after which their strategies go on. A trial waits
    for its own preparations and for no others.

    Args:
        curves: What is in the store.
        searches: All strategies at work; they get what is in the store at once.
        on_complete: Called with each search that ends from now on.
    """

    def __init__(
        self,
        curves: Curves,
        searches: Iterable[Searching] = (),
        on_complete: Callable[[Searching], None] = lambda search: None,
    ) -> None:
        self._curves = curves
        self._on_complete = on_complete
        self._searches = list(searches)
        self._held: list[Searching] = []
        # By seed: those after which a strategy goes on, and all others.
        self._early: dict[int, deque[Job]] = {}
        self._late: dict[int, deque[Job]] = {}
        self._waiting: dict[str, list[Searching]] = {}
        # Given or about to be: ids, and those that failed.
        self._open: set[str] = set()
        self._failed: set[str] = set()
        self._preparations: dict[int, deque[PreparationJob]] = {}
        # Preparations that are not done: given or not.
        self._lacking: set[str] = set()
        self._nothing_is_ready = False
        self._when_over: Callable[[], None] = lambda: None
        self.is_closed = False
        for search in self._searches:
            self._advance(search)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to run, and nothing runs."""
        return not self._open and not self._lacking

    def when_over(self, call: Callable[[], None]) -> None:
        """Has a call made whenever the last job ends; it may add further ones."""
        self._when_over = call

    def add(self, searches: Iterable[Searching]) -> None:
        """Adds a block of strategies at work in further seeds."""
        added = list(searches)
        self._searches += added
        for search in added:
            self._advance(search)

    def hold(self, searches: Iterable[Searching]) -> None:
        """Keeps strategies for later: none of their trials runs before ``release``."""
        for search in searches:
            search.wants(self._curves.val_acc)
            self._held.append(search)

    @property
    def holds(self) -> bool:
        """Whether strategies are held."""
        return bool(self._held)

    def release(self) -> None:
        """Adds the strategies that are held, if any."""
        held, self._held = self._held, []
        self.add(held)

    def close(self) -> None:
        """Drops all that is not running; what runs may end, and nothing follows it."""
        self.is_closed = True
        for queues in (self._early, self._late):
            self._open.difference_update(job.trial.id for q in queues.values() for job in q)
            queues.clear()
        self.take_preparations()

    def unfinished(self) -> list[Searching]:
        """Returns the searches that are not complete."""
        return [search for search in self._searches if not search.is_complete]

    def prepare(self, jobs: Iterable[PreparationJob]) -> None:
        """Adds what has to be done before trials that need it."""
        self._nothing_is_ready = False
        for job in jobs:
            self._lacking.add(job.id)
            self._preparations.setdefault(job.seed, deque()).append(job)

    def take_preparations(self) -> list[PreparationJob]:
        """Removes all preparations that do not run, for another scheduler."""
        taken = [job for queue in self._preparations.values() for job in queue]
        self._preparations.clear()
        self._lacking.difference_update(job.id for job in taken)
        return taken

    @property
    def is_prepared(self) -> bool:
        """Whether all preparations are done."""
        return not self._lacking

    def lacks(self, job_id: str) -> bool:
        """Says whether a preparation is to be done, or under way."""
        return job_id in self._lacking

    def waiting(self) -> int:
        """Returns how many trials are known and not begun."""
        return sum(len(jobs) for queues in (self._early, self._late) for jobs in queues.values())

    def known(self) -> list[Job]:
        """Returns the trials that are known and not begun."""
        return [job for queues in (self._early, self._late) for q in queues.values() for job in q]

    def bank_ids(self) -> set[str]:
        """Returns the banks that the jobs need, also those of further segments."""
        here = [job.bank for job in self.known()]
        here += [search.case.bank for search in self.unfinished()]
        return {bank.id for bank in here if bank is not None}

    def trial_ids(self) -> set[str]:
        """Returns the ids of the trials whose segments have ended."""
        return {self._curves.covering(job.trial) for s in self._searches for job in s.behind}

    def ended_trainings(self) -> set[str]:
        """Returns the ids of trainings whose states are not needed any more."""
        ended = [search for search in self._searches if search.is_complete]
        return {training for search in ended for training in search.trainings()}

    def next_job(self) -> AnyJob | None:
        """Returns a job to run; None while all that is left waits for what runs."""
        if self._nothing_is_ready:
            return None
        queues = (self._preparations, self._early, self._late)
        for seed in sorted(set().union(*queues)):
            for jobs in queues:
                job = self._pop_ready(jobs[seed]) if seed in jobs else None
                if job is not None:
                    return job
        # Called many times a second: to look again pays only once something has changed.
        self._nothing_is_ready = True
        return None

    def _pop_ready(self, queue: "deque[Any]") -> AnyJob | None:
        """Takes the first job whose preparations are done out of a queue."""
        for place, job in enumerate(queue):
            if not job.needs & self._lacking:
                del queue[place]
                ready: AnyJob = job
                return ready
        return None

    def put_back(self, job: AnyJob) -> None:
        """Takes back a job that failed and is to be tried again: it is the next one of its kind."""
        self._nothing_is_ready = False
        if isinstance(job, Job):
            self._early.setdefault(seed_number(job.trial.seed), deque()).appendleft(job)
        else:
            self._preparations.setdefault(job.seed, deque()).appendleft(job)

    def done(self, job: AnyJob, curve: Curve | None = None) -> None:
        """Takes note that a preparation is done, or that a job's trial is in the store.

        Args:
            job: It, or the trial's.
            curve: The trial's validation accuracies; None reads them when they are needed.

        Raises:
            StoreError: If its curve cannot be read.
        """
        if not isinstance(job, Job):
            self._lacking.discard(job.id)
            self._nothing_is_ready = False
        else:
            self._open.discard(job.trial.id)
            self._curves.add(job.trial.id, curve)
            for search in self._waiting.pop(job.trial.id, []):
                self._advance(search)
                if search.is_complete:
                    self._on_complete(search)
        if self.is_over:
            self._when_over()

    def failed(self, job: Job) -> None:
        """Takes note that a trial failed for the last time: searches that wait for it stay there.

        The next run of the study tries it again.
        """
        self._open.discard(job.trial.id)
        self._failed.add(job.trial.id)
        if self.is_over:
            self._when_over()

    def rows(self) -> list[dict[str, Any]]:
        """Returns the segments of all searches so far, held ones too, as ``schema.SEARCHES``."""
        searches = [*self._searches, *self._held]
        return [row for search in searches for row in search.rows(self._curves.covering)]

    def _advance(self, search: Searching) -> None:
        for job in search.wants(self._curves.val_acc):
            whole = job.trial.whole.id
            # A longer run of the same training that is on its way will show these epochs, too.
            trial_id = whole if whole in self._open else job.trial.id
            waiting = self._waiting.setdefault(trial_id, [])
            if search not in waiting:
                waiting.append(search)
            if trial_id not in self._open | self._failed and not self.is_closed:
                self._put(job, self._early if search.runs_to_come else self._late)

    def _put(self, job: Job, queues: dict[int, deque[Job]]) -> None:
        self._nothing_is_ready = False
        self._open.add(job.trial.id)
        queues.setdefault(seed_number(job.trial.seed), deque()).append(job)

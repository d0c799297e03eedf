"""Commits what trials return: the driver is the only process that writes to the store's tables."""

import time
from collections.abc import Callable

from metakd.results.writer import FinishedTrial
from metakd.study.cases import Job
from metakd.train.commit import commit
from metakd.train.folder import StudyFolder

INTERVAL_S = 1.0
SHARE_OF_TIME = 0.1
"""Tune's loop stands still while trials are committed: no more of its time than that, but"""
LONGEST_WAIT_S = 30.0
"""no trial waits longer, however long a commit took: what kills the driver loses what waits."""


class Commits:
    """Trials between their last step and the store.

    Each commit costs the same few requests for one trial as for a hundred, so that those that end
    within a second of the last commit wait and are committed together.

    Args:
        folder: The study's folder.
        on_commit: Called for each trial once it is in the store.
    """

    def __init__(
        self, folder: StudyFolder, on_commit: Callable[[Job, FinishedTrial], None]
    ) -> None:
        self._folder = folder
        self._on_commit = on_commit
        self._waiting: list[tuple[Job, FinishedTrial]] = []
        self._next_at = 0.0

    def add(self, job: Job, result: FinishedTrial) -> None:
        """Takes a finished trial."""
        self._waiting.append((job, result))

    def commit_if_due(self) -> None:
        """Commits what waits, if the last commit is long enough ago."""
        if self._waiting and time.monotonic() >= self._next_at:
            self.commit()

    def commit(self) -> None:
        """Commits what waits.

        Raises:
            StoreError: If the store does not take it.
            OSError: If the disk is full.
            Exception: What ``on_commit`` raised.
        """
        if not self._waiting:
            return
        results, self._waiting = self._waiting, []
        began = time.monotonic()
        commit([(job.trial, result) for job, result in results], self._folder)
        ended = time.monotonic()
        wait_s = max(INTERVAL_S, (ended - began) / SHARE_OF_TIME)
        self._next_at = ended + min(wait_s, LONGEST_WAIT_S)
        for job, result in results:
            self._on_commit(job, result)

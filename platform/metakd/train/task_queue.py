"""What a driver and its Ray Train workers exchange, kept by a small actor between them.

It holds pickled bytes: its process imports Ray and nothing that they are made of.
"""

import asyncio

import ray


@ray.remote(num_cpus=0)
class TaskQueue:
    """Trials on their way to the workers, and the first worker's reports on theirs back."""

    def __init__(self) -> None:
        self._tasks: list[bytes] = []
        self._new_task = asyncio.Condition()
        self._reports: asyncio.Queue[bytes] = asyncio.Queue()
        self._stopped = -1

    async def is_there(self) -> None:
        """Returns for as long as the driver lives, which owns this actor."""

    async def put(self, task: bytes) -> None:
        """Adds the next trial."""
        # What a stopped trial still reported is not of this one.
        self._reports = asyncio.Queue()
        async with self._new_task:
            self._tasks.append(task)
            self._new_task.notify_all()

    async def task(self, number: int) -> bytes:
        """Returns the trial of a number, as soon as it is there."""
        async with self._new_task:
            await self._new_task.wait_for(lambda: len(self._tasks) > number)
        return self._tasks[number]

    async def stop(self) -> None:
        """Marks the last trial as one to be stopped."""
        self._stopped = len(self._tasks) - 1

    async def report(self, number: int, report: bytes) -> bool:
        """Takes a report on the trial of a number; returns whether that is to stop."""
        if number == len(self._tasks) - 1:
            self._reports.put_nowait(report)
        return number <= self._stopped

    async def next_report(self, timeout_s: float) -> bytes | None:
        """Returns the next report, None if there was none for so long."""
        try:
            return await asyncio.wait_for(self._reports.get(), timeout_s)
        except TimeoutError:
            return None

"""Frees what the workers of a trial hold once their driver is gone, however it went."""

import asyncio
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.util.placement_group import PlacementGroup, remove_placement_group

WATCH_INTERVAL_S = 1.0


@ray.remote(num_cpus=0)
class GroupKeeper:
    """Keeps the placement groups of all workers of a run, each beside the queue of its driver.

    A driver that is killed takes Ray Train's controller with it, and the placement group would hold
    its CPUs and GPUs for as long as the study runs: nothing else could start. Ray Train has an
    actor for that, which asks the dashboard: the wrong one where two clusters share a machine.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Any, PlacementGroup]] = []

    async def keep(self, queue: Any, group: PlacementGroup) -> None:  # noqa: ANN401
        """Keeps a placement group for as long as a queue is there."""
        self._kept.append((queue, group))

    async def watch(self) -> None:
        """Frees, again and again, the groups whose queue is gone."""
        while True:
            for queue, group in list(self._kept):
                try:
                    await queue.is_there.remote()
                except RayActorError:
                    self._kept.remove((queue, group))
                    remove_placement_group(group)
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def free_all(self) -> None:
        """Frees all groups."""
        for _, group in self._kept:
            remove_placement_group(group)
        self._kept.clear()

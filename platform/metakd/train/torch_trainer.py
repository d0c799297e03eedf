"""Ray Train's trainer as teachers and students on several workers need it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import ray
import ray.train
import ray.train.torch
from ray.exceptions import RayActorError
from ray.util.placement_group import PlacementGroup, remove_placement_group

from metakd.train.folder import StudyFolder
from metakd.train.resources import Resources

CONTROLLER_FAILURES = 2
"""Ray Train itself would start its workers again without end."""


def new_trainer(
    work: Callable[[dict[str, Any]], None],
    config: Mapping[str, Any],
    resources: Resources,
    folder: StudyFolder,
    name: str,
    max_failures: int,
) -> ray.train.torch.TorchTrainer:
    """Returns a trainer that has not started yet.

    Args:
        work: What each worker does; it claims its resources from its configuration.
        config: Its configuration, beside the resources.
        resources: What the workers are.
        folder: The study's folder.
        name: What Ray's dashboard calls the run.
        max_failures: How often the workers are started again after one failed.
    """
    return ray.train.torch.TorchTrainer(
        work,
        train_loop_config={**config, "resources": resources},
        scaling_config=ray.train.ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.gpus > 0,
            resources_per_worker=resources.of_worker,
        ),
        run_config=ray.train.RunConfig(
            name=name,
            **folder.ray_storage,
            failure_config=ray.train.FailureConfig(
                max_failures=max_failures, controller_failure_limit=CONTROLLER_FAILURES
            ),
        ),
    )


WATCH_INTERVAL_S = 1.0


@ray.remote(num_cpus=0)
class GroupKeeper:
    """Keeps the placement groups of all workers of a run, each beside the queue of its driver.

    A driver that is killed takes Ray Train's controller with it, and the placement group would hold
    its CPUs and GPUs for as long as the study runs: nothing else could start. Ray Train has an
    actor for that, which reads the dashboard: the wrong one where two clusters share a machine.
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

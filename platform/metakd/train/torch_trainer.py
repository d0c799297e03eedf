"""Ray Train's trainer as teachers and students on several workers need it."""

from collections.abc import Callable, Mapping
from typing import Any

import ray.train
import ray.train.torch

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

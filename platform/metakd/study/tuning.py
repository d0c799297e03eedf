"""Ray Tune runs the trials: one student each, in actors that are reused."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from ray import tune
from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial

from metakd.study.cluster import Cluster
from metakd.study.plan import Job
from metakd.train.commit import commit
from metakd.train.folder import StudyFolder
from metakd.train.student import SAVE_INTERVAL_S, run_trial

CPUS_PER_TRIAL = 1


@dataclass(frozen=True)
class Failure:
    """A trial that failed, and why in one line."""

    name: str
    reason: str


def slots(cluster: Cluster) -> int:
    """Returns how many trials run at once."""
    return max(1, cluster.gpus or cluster.cpus // CPUS_PER_TRIAL)


def run_jobs(
    jobs: Sequence[Job],
    folder: StudyFolder,
    cluster: Cluster,
    git_commit: str,
    on_done: Callable[[Job, float], None],
    on_failed: Callable[[Job], None],
    max_failures: int = 1,
    save_interval_s: float = SAVE_INTERVAL_S,
) -> list[Failure]:
    """Runs jobs on the cluster; each commits its trial to the store when it is finished.

    Args:
        jobs: What to run, in this order.
        folder: The study's folder, with everything prepared.
        cluster: Where.
        git_commit: Recorded with each trial.
        on_done: Called with each finished job and its validation accuracy.
        on_failed: Called with each failed job.
        max_failures: How often a job is tried again after it failed or its process died; it goes
            on from its last kept state.
        save_interval_s: At least so much time lies between two states of a trial.

    Returns:
        The trials that failed; the others are in the store.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    resources = {"cpu": CPUS_PER_TRIAL, "gpu": 1 if cluster.gpus else 0}
    trainable = tune.with_parameters(
        distil,
        jobs=jobs,
        folder=folder,
        git_commit=git_commit,
        save_interval_s=save_interval_s,
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources),
        # Tune hands on only plain values as they are: a trial gets its job by number.
        param_space={"job": tune.grid_search(list(range(len(jobs))))},
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            max_concurrent_trials=slots(cluster),
            trial_name_creator=lambda trial: jobs[trial.config["job"]].trial.name,
            trial_dirname_creator=lambda trial: jobs[trial.config["job"]].trial.id,
        ),
        run_config=tune.RunConfig(
            name="students",
            storage_path=str(folder.ray.resolve()),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=max_failures),
            callbacks=[_Watch(jobs, on_done, on_failed)],
        ),
    )
    return [
        Failure(jobs[result.config["job"]].trial.name, _reason(result.error))
        for result in tuner.fit()
        if result.error is not None
    ]


def distil(
    config: Mapping[str, int],
    jobs: Sequence[Job],
    folder: StudyFolder,
    git_commit: str,
    save_interval_s: float,
) -> None:
    """The Tune trainable: trains and commits the student of one job."""
    job = jobs[config["job"]]
    torch.set_num_threads(CPUS_PER_TRIAL)
    # A reused actor keeps one name on Ray's dashboard: its log there says which trial it runs.
    print(f"{job.trial.name} {job.trial.id}: started", flush=True)
    outcome = run_trial(job.trial, folder, job.bank, save_interval_s=save_interval_s)
    commit(job.trial, outcome, folder, git_commit)
    print(f"{job.trial.name} {job.trial.id}: committed", flush=True)
    tune.report({"val_acc": outcome.epochs[-1].validation.accuracy, "wall_s": outcome.wall_s})


class _Watch(Callback):  # type: ignore[misc]
    """Relays Tune's events to the progress display."""

    def __init__(
        self,
        jobs: Sequence[Job],
        on_done: Callable[[Job, float], None],
        on_failed: Callable[[Job], None],
    ) -> None:
        self._jobs = jobs
        self._on_done = on_done
        self._on_failed = on_failed

    def __getstate__(self) -> dict[str, Any]:
        # Tune keeps its callbacks for a restore of its own, which a study never asks for.
        return {}

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self._on_done(self._jobs[trial.config["job"]], trial.last_result["val_acc"])

    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self._on_failed(self._jobs[trial.config["job"]])


def _reason(error: BaseException) -> str:
    """Returns the last line of a failure's report: that of the exception in the worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

"""On a real local cluster: teachers by Ray Train, trials by Ray Tune, failures among them."""

import dataclasses
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from ray.util.state import list_actors

from metakd.core.training import Recipe
from metakd.data.datasets import open_dataset
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.study.cluster import Cluster, connect
from metakd.study.plan import Job, make_plan
from metakd.study.prepare import prepare
from metakd.study.spec import StudySpec
from metakd.study.tuning import run_jobs
from metakd.train.folder import StudyFolder
from metakd.train.student import run_trial
from metakd.train.teacher import TeacherReport, new_teacher, read_report, store_teacher
from metakd.train.teacher_training import train_teacher
from metakd.train.trial import DataSpec, TeacherSpec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")

SPEC = StudySpec(
    name="s",
    scales=(0.3,),
    augmentations=("standard",),
    temperatures=(4.0,),
    seeds=2,
    epochs=2,
    teacher_epochs=2,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    yield connect("local")
    ray.shutdown()


def new_folder(path: Path) -> tuple[StudyFolder, DataSpec]:
    folder = StudyFolder(path)
    dataset = open_dataset("digits", folder.datasets)
    return folder, DataSpec(dataset.name, dataset.fingerprint)


def test_the_cluster_has_a_dashboard(cluster: Cluster) -> None:
    assert cluster.started_here
    assert cluster.cpus >= 1
    assert cluster.dashboard is not None
    assert cluster.dashboard.startswith("http://")


def test_a_teacher_is_trained_by_two_workers(cluster: Cluster, tmp_path: Path) -> None:
    if cluster.cpus < 2:
        pytest.skip("two workers need two CPUs")
    folder, data = new_folder(tmp_path)
    spec = TeacherSpec(data, "digit_mlp", "standard", Recipe(epochs=12, batch_size=32, lr=0.1))
    report = train_teacher(spec, folder, workers=2, cpus=1, use_gpu=False)
    assert report.test_acc > 0.8
    assert read_report(spec, folder) == report
    # A second call finds it.
    assert train_teacher(spec, folder, workers=2, cpus=1, use_gpu=False) == report


def test_trials_run_and_a_failure_stays_alone(cluster: Cluster, tmp_path: Path) -> None:
    folder, _ = new_folder(tmp_path)
    plan = make_plan(SPEC, open_dataset("digits", folder.datasets))
    prepare(plan, folder, cluster, {bank.id for bank in plan.banks})
    good, bad = list(plan.jobs), plan.jobs[0]
    diverging = dataclasses.replace(bad.trial.recipe, lr=1e30)
    bad = Job(dataclasses.replace(bad.trial, recipe=diverging), bad.bank)
    done: list[str] = []
    failed: list[str] = []
    failures = run_jobs(
        [good[0], bad, *good[1:]],
        folder,
        cluster,
        git_commit="abc",
        on_done=lambda job, val_acc: done.append(job.trial.id),
        on_failed=lambda job: failed.append(job.trial.id),
    )
    assert sorted(done) == sorted(plan.trial_ids)
    assert failed == [bad.trial.id]
    assert finished_trials(folder.out) == set(plan.trial_ids)
    (failure,) = failures
    assert failure.name == bad.trial.name
    assert "training loss is" in failure.reason
    rows = read_trials(folder.out).to_pylist()
    assert {row["git_commit"] for row in rows} == {"abc"}
    assert {row["method"] for row in rows} == {"ce", "kd", "mkd"}


def kill_once_under_way(states: Path, killed: list[int]) -> None:
    """Kills whoever runs the trial, as soon as its tenth epoch is kept."""
    while not list(states.glob("epoch-00001?.pt")):
        time.sleep(0.01)
    for actor in list_actors(filters=[("state", "=", "ALIVE")]):
        # Tune's name for a function's actor; Ray has others of its own.
        if "ImplicitFunc" in actor.class_name:
            os.kill(actor.pid, signal.SIGKILL)
            killed.append(actor.pid)


def test_a_trial_whose_process_is_killed_goes_on_and_ends_as_undisturbed(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder, _ = new_folder(tmp_path)
    plan = make_plan(SPEC, open_dataset("digits", folder.datasets))
    assert plan.teacher is not None
    # Its answers matter here, not its accuracy.
    untrained = new_teacher(plan.teacher, folder)
    store_teacher(plan.teacher, folder, untrained, TeacherReport(0.1, 0.1, 0.0))
    short = next(job for job in plan.jobs if job.trial.distiller.method == "mkd")
    recipe = dataclasses.replace(short.trial.recipe, epochs=150)
    job = Job(dataclasses.replace(short.trial, recipe=recipe), bank=None)
    killed: list[int] = []
    states = folder.checkpoints / job.trial.id
    killer = threading.Thread(target=kill_once_under_way, args=(states, killed), daemon=True)
    killer.start()
    failures = run_jobs(
        [job],
        folder,
        cluster,
        git_commit="abc",
        on_done=lambda job, val_acc: None,
        on_failed=lambda job: None,
        save_interval_s=0,
    )
    killer.join(timeout=1)
    assert len(killed) == 1
    assert failures == []
    assert not states.exists()
    torch.set_num_threads(1)
    undisturbed = run_trial(job.trial, folder, None)
    (row,) = read_trials(folder.out, [job.trial.id]).to_pylist()
    assert row["test_acc_last"] == undisturbed.test_last.accuracy
    steps = read_steps(folder.out, [job.trial.id])
    assert steps["epoch"].to_pylist() == list(range(150))
    losses = [epoch.record.train_loss for epoch in undisturbed.epochs]
    assert steps["train_loss"].to_pylist() == np.float32(losses).tolist()

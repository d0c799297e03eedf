"""On a real local cluster: teachers by Ray Train, trials by Ray Tune, failures among them."""

import dataclasses
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from ray.util.state import list_actors
from refilled_scheduler import RefilledScheduler, SchedulerOfJobs

from metakd.core.training import Recipe
from metakd.data.bank import open_outputs
from metakd.data.datasets import open_dataset
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.results.writer import FinishedTrial
from metakd.study import dispatch
from metakd.study.cases import Job
from metakd.study.cluster import Cluster
from metakd.study.curves import Curves
from metakd.study.dispatch import Watcher
from metakd.study.options import BankPolicy
from metakd.study.plan import Plan, make_plan
from metakd.study.preparation import PreparationJob, preparation_of
from metakd.study.run import teacher_in_words
from metakd.study.scheduler import AnyJob, Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.study.trainable import RunContext
from metakd.study.tuning import run_jobs
from metakd.train.commit import record_failure
from metakd.train.folder import StudyFolder
from metakd.train.resources import Resources
from metakd.train.student import Outcome, run_trial
from metakd.train.teacher import TeacherReport, new_teacher, read_report, store_teacher
from metakd.train.teacher_training import train_teachers
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
ONE = Resources()
ROWS = torch.arange(8)


def new_folder(path: Path) -> tuple[StudyFolder, DataSpec]:
    folder = StudyFolder(path)
    dataset = open_dataset("digits", folder.datasets)
    return folder, DataSpec(dataset.name, dataset.fingerprint)


def test_the_cluster_has_a_dashboard(cluster: Cluster) -> None:
    assert cluster.started_here
    assert cluster.cpus >= 1
    assert cluster.dashboard is not None
    assert cluster.dashboard.startswith("http://")


class Heard(Watcher):
    """Notes what a run tells, and records failures as a study does."""

    def __init__(self, folder: StudyFolder) -> None:
        self.folder = folder
        self.at_once = 0
        self.epochs: dict[str, list[int]] = {}
        self.done_ids: list[str] = []
        self.prepared_ids: list[str] = []
        self.reasons: dict[str, str] = {}

    def running(self, count: int) -> None:
        self.at_once = max(self.at_once, count)

    def epoch(self, job: AnyJob, epochs_done: int) -> None:
        self.epochs.setdefault(job.id, []).append(epochs_done)

    def prepared(self, job: PreparationJob) -> None:
        self.prepared_ids.append(job.id)

    def done(self, job: Job, result: FinishedTrial) -> None:
        self.done_ids.append(job.trial.id)

    def failed(self, job: AnyJob, reason: str) -> None:
        assert isinstance(job, Job), reason
        record_failure(job.trial, reason, self.folder, "abc")
        self.reasons[job.trial.id] = reason


def run(
    jobs: list[Job],
    folder: StudyFolder,
    resources: Resources = ONE,
    preparations: Sequence[PreparationJob] = (),
    max_failures: int = 1,
    **settings: float,
) -> Heard:
    heard = Heard(folder)
    context = RunContext(folder, resources, git_commit="abc", **settings)
    at_once = 1 if resources.workers > 1 else 2
    scheduler = SchedulerOfJobs(Curves(folder, finished_trials(folder.out)), jobs)
    scheduler.prepare(preparations)
    run_jobs(context, scheduler, lambda: at_once, heard, max_failures)
    return heard


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyFolder, Plan]:
    """A study whose teacher is not trained: its outputs matter here, not its accuracy."""
    folder = StudyFolder(Path(tmp_path_factory.mktemp("planned")))
    plan = make_plan(SPEC, [open_dataset("digits", folder.datasets)], BankPolicy("live"))
    (teacher,) = plan.teachers
    untrained = new_teacher(teacher, folder)
    store_teacher(teacher, folder, untrained, TeacherReport(0.1, 0.1, 0.0))
    return folder, plan


def learning(plan: Plan, epochs: int, student: str = "digit_cnn_tiny", seed: int = 0) -> Job:
    """Returns a job with learned temperatures and so many epochs."""
    short = next(job for job in plan.jobs if job.trial.distiller.method == "mkd")
    recipe = dataclasses.replace(short.trial.recipe, epochs=epochs)
    trial = dataclasses.replace(short.trial, recipe=recipe, student=student, seed=seed)
    return dataclasses.replace(short, trial=trial)


def longer(job: Job, epochs: int) -> Job:
    """Returns a job with so many epochs, whose views nobody has kept."""
    recipe = dataclasses.replace(job.trial.recipe, epochs=epochs)
    return dataclasses.replace(job, bank=None, trial=dataclasses.replace(job.trial, recipe=recipe))


def stopped(job: Job, after: int) -> Job:
    return dataclasses.replace(job, trial=dataclasses.replace(job.trial, stop_after=after))


@pytest.mark.slow
def test_a_second_actor_starts_beside_trials_that_are_shorter_than_its_start(
    cluster: Cluster, planned: tuple[StudyFolder, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, plan = planned
    monkeypatch.setattr(dispatch, "LOOK_INTERVAL_S", 0.5)
    heard = Heard(folder)
    short = (learning(plan, epochs=1, seed=seed) for seed in range(100, 500))
    scheduler = RefilledScheduler(Curves(folder, ()), short, lambda: heard.at_once == 2)
    # As where all trials wait for one teacher: when the second may start, short ones are running.
    run_jobs(
        RunContext(folder, ONE, git_commit="abc"),
        scheduler,
        lambda: 2 if heard.done_ids else 1,
        heard,
    )
    assert heard.at_once == 2
    assert heard.reasons == {}
    assert len(heard.done_ids) == len(scheduler.given)


def test_teachers_are_trained_side_by_side_and_found_again(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder, data = new_folder(tmp_path)
    recipe = Recipe(epochs=12, batch_size=32, lr=0.1)
    specs = [TeacherSpec(data, "digit_mlp", "standard", recipe, seed=seed) for seed in (0, 1)]
    reports = train_teachers(specs, folder, ONE, at_once=2)
    assert all(report.test_acc > 0.8 for report in reports)
    assert [read_report(spec, folder) for spec in specs] == reports
    assert not folder.checkpoints.exists()
    states = [torch.load(folder.teachers / spec.id / "model.pt") for spec in specs]
    assert any(not torch.equal(states[0][name], states[1][name]) for name in states[0])
    # A second call finds them, and would have no use for a cluster.
    assert train_teachers(specs, folder, Resources(99), at_once=2) == reports


def everything(plan: Plan) -> list[PreparationJob]:
    return preparation_of(plan.banks, {bank.id for bank in plan.banks}, plan.teachers)


@pytest.mark.slow
def test_one_model_twice_in_an_ensemble_is_two_teachers(cluster: Cluster, tmp_path: Path) -> None:
    folder, _ = new_folder(tmp_path)
    spec = dataclasses.replace(
        SPEC, teachers=("digit_mlp+digit_mlp",), strategies=("mean_features",), seeds=1
    )
    plan = make_plan(spec, [open_dataset("digits", folder.datasets)])
    preparations = everything(plan)
    heard = run([], folder, preparations=preparations, report_interval_s=0)
    assert len(plan.teachers) == 2
    assert sorted(heard.prepared_ids) == sorted(job.id for job in preparations)
    assert list(heard.epochs.values()) == [[1, 2], [1, 2]]
    words = [teacher_in_words(teacher, plan.teachers) for teacher in plan.teachers]
    assert words == ["teacher 1 of 2, digit_mlp", "teacher 2 of 2, digit_mlp"]
    assert all(read_report(teacher, folder) for teacher in plan.teachers)
    (bank,) = plan.banks
    for name in ("logits", "features"):
        first, second = (
            open_outputs(folder.banks, bank.id, teacher.id, "float16", name).take(ROWS, 0)
            for teacher in plan.teachers
        )
        assert first.shape == second.shape
        assert not torch.equal(first, second)


def test_trials_run_and_a_failure_stays_alone_and_is_recorded(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder, _ = new_folder(tmp_path)
    plan = make_plan(SPEC, [open_dataset("digits", folder.datasets)])
    preparations = everything(plan)
    good, bad = list(plan.jobs), plan.jobs[0]
    diverging = dataclasses.replace(bad.trial.recipe, lr=1e30)
    bad = dataclasses.replace(bad, trial=dataclasses.replace(bad.trial, recipe=diverging))
    # Long enough to meet, however late the second process starts on a busy machine.
    good += [longer(job, epochs=150) for job in good if job.trial.distiller.method == "ce"]
    ids = [job.id for job in good]
    heard = run([good[0], bad, *good[1:]], folder, preparations=preparations)
    assert sorted(heard.prepared_ids) == sorted(job.id for job in preparations)
    assert sorted(heard.done_ids) == sorted(ids)
    assert heard.at_once == min(2, cluster.cpus)
    assert finished_trials(folder.out) == set(ids)
    assert list(heard.reasons) == [bad.trial.id]
    assert "training loss is" in heard.reasons[bad.trial.id]
    rows = {row["trial_id"]: row for row in read_trials(folder.out).to_pylist()}
    failed = rows.pop(bad.trial.id)
    assert (failed["status"], failed["error"]) == ("failed", heard.reasons[bad.trial.id])
    assert failed["seed"] == bad.trial.seed
    assert set(rows) == set(ids)
    assert {row["status"] for row in rows.values()} == {"done"}
    assert {row["git_commit"] for row in rows.values()} == {"abc"}
    assert {row["method"] for row in rows.values()} == {"ce", "kd", "mkd", "align"}


def searched(plan: Plan, folder: StudyFolder) -> Scheduler:
    """A scheduler of a plan, told what is in the store."""
    finished = finished_trials(folder.out)
    return Scheduler(Curves(folder, finished), searches_of(plan))


@pytest.mark.slow
def test_several_teachers_share_banks_and_trials_and_nothing_runs_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder, _ = new_folder(tmp_path)
    spec = dataclasses.replace(
        SPEC,
        teachers=("digit_mlp+digit_cnn_small",),
        strategies=("ce", "single", "mean_losses", "mmkd"),
        seeds=1,
    )
    plan = make_plan(spec, [open_dataset("digits", folder.datasets)])
    for teacher in plan.teachers:
        untrained = new_teacher(teacher, folder)
        store_teacher(teacher, folder, untrained, TeacherReport(0.1, 0.1, 0.0))
    run([], folder, preparations=preparation_of(plan.banks, {bank.id for bank in plan.banks}))
    (bank,) = plan.banks
    kept = {tuple(path.parts[-2:]) for path in (folder.banks / bank.id / "outputs").glob("*/*")}
    assert kept == {(teacher.id, f"{name}-float16") for teacher in plan.teachers
                    for name in ("logits", "features")}  # fmt: skip

    scheduler, heard = searched(plan, folder), Heard(folder)
    run_jobs(RunContext(folder, ONE, git_commit="abc"), scheduler, lambda: 2, heard)
    assert heard.reasons == {}
    assert scheduler.is_over
    rows = {row["trial_id"]: row for row in read_trials(folder.out).to_pylist()}
    asked = Counter((row["method"], row["teacher"]) for row in rows.values())
    both = "digit_mlp+digit_cnn_small"
    alone = [("kd", "digit_mlp"), ("kd", "digit_cnn_small")]
    assert asked == Counter([("ce", None), *alone, ("mean_losses", both), ("mmkd", both)])
    found = Counter((row["strategy"], row["teacher"]) for row in scheduler.rows())
    assert found == {
        ("ce", None): 1, ("single", both): 2, ("mean_losses", both): 1, ("mmkd", both): 1,
    }  # fmt: skip
    assert {row["trial_id"] for row in scheduler.rows()} == set(rows)
    (learned,) = [name for name, row in rows.items() if row["method"] == "mmkd"]
    weighed = read_steps(folder.out, [learned])["teacher_weights"].to_pylist()
    assert all(sum(each["weights"]) == pytest.approx(1) for epoch in weighed for each in epoch)
    # The same again finds all of it; so does a study of one of the teachers.
    assert searched(plan, folder).is_over
    one = dataclasses.replace(spec, teachers=("digit_mlp",), strategies=("ce", "fixed"))
    of_one = make_plan(one, [open_dataset("digits", folder.datasets)])
    assert searched(of_one, folder).is_over


def accuracy(outcome: Outcome) -> float:
    assert outcome.test_last is not None
    return outcome.test_last.accuracy


class OnTwo(NamedTuple):
    folder: StudyFolder
    jobs: list[Job]
    heard: Heard


@pytest.fixture(scope="module")
def on_two(cluster: Cluster, planned: tuple[StudyFolder, Plan]) -> OnTwo:
    """One group of two workers, and its five trials: the fourth goes on from the first."""
    folder, plan = planned
    long = learning(plan, 9)
    jobs = [
        stopped(long, after=4),
        # 3 epochs of 10 steps, a look-ahead after every eighth.
        learning(plan, 3, "digit_mlp"),
        learning(plan, 3, "digit_cnn_tiny"),
        long,
        learning(plan, 20),
    ]
    return OnTwo(folder, jobs, run(jobs, folder, Resources(2), report_interval_s=0))


@pytest.mark.parametrize("number", [1, 2])
def test_two_workers_with_half_of_each_batch_come_to_what_one_comes_to(
    on_two: OnTwo, number: int
) -> None:
    folder, job = on_two.folder, on_two.jobs[number]
    assert job.trial.id in on_two.heard.done_ids
    alone = run_trial(job.trial, folder, None)
    (row,) = read_trials(folder.out, [job.trial.id]).to_pylist()
    assert (row["workers"], row["precision"], row["steps"]) == (2, "float32", 30)
    assert row["test_acc_last"] == pytest.approx(accuracy(alone), abs=0.003)
    steps = read_steps(folder.out, [job.trial.id])
    for column in ("train_loss", "ce_loss", "kd_loss", "meta_loss"):
        expected = [getattr(epoch.record, column) for epoch in alone.epochs]
        assert steps[column].to_pylist() == pytest.approx(expected, rel=1e-4), column
    taus = [epoch.record.temperatures for epoch in alone.epochs]
    assert taus[0] != taus[-1]
    for side, column in enumerate(("tau_s", "tau_t")):
        expected = [tau[side] for tau in taus if tau is not None]
        assert steps[column].to_pylist() == pytest.approx(expected, rel=1e-3), column


def require_one_training(folder: StudyFolder, segment: Job, whole: Job) -> None:
    """Checks that a whole run has a stopped one as its beginning, and went on from there."""
    rows = {row["trial_id"]: row for row in read_trials(folder.out).to_pylist()}
    first, last = rows[segment.trial.id], rows[whole.trial.id]
    assert (first["status"], last["status"]) == ("stopped", "done")
    assert (first["test_acc_last"], first["test_acc_selected"]) == (None, None)
    assert (first["epochs"], last["epochs"]) == (4, 9)
    # A training that began anew would have begun later.
    assert first["started"] == last["started"]
    curves = [read_steps(folder.out, [job.trial.id]).drop("trial_id") for job in (segment, whole)]
    assert curves[1].slice(0, 4).equals(curves[0])


def test_a_stopped_trial_goes_on_on_its_workers(on_two: OnTwo) -> None:
    heard, jobs = on_two.heard, on_two.jobs
    segment, whole = jobs[0], jobs[3]
    assert heard.reasons == {}
    assert heard.done_ids == [job.trial.id for job in jobs]
    # After its last epoch a trial reports once more, that it is committed.
    assert heard.epochs[segment.trial.id] == [1, 2, 3, 4, 4]
    assert heard.epochs[whole.trial.id] == [5, 6, 7, 8, 9, 9]
    require_one_training(on_two.folder, segment, whole)


@pytest.mark.slow
def test_a_stopped_trial_goes_on_in_its_own_process_too(
    cluster: Cluster, planned: tuple[StudyFolder, Plan]
) -> None:
    folder, plan = planned
    whole = learning(plan, 9, seed=10)
    segment = stopped(whole, after=4)
    for job in (segment, whole):
        assert run([job], folder, ONE, report_interval_s=0).done_ids == [job.trial.id]
    require_one_training(folder, segment, whole)


def alive(dashboard: str | None, named: str) -> list[int]:
    """Returns the processes of living actors, by a part of their class's name."""
    actors = list_actors(dashboard, filters=[("state", "=", "ALIVE")])
    return [actor.pid for actor in actors if named in actor.class_name]


def epochs_kept(states: Path) -> int:
    """Returns how many epochs the last kept state of a trial has behind it."""
    return max((int(file.stem.split("-")[1]) for file in states.glob("epoch-*.pt")), default=0)


def wait_for_epoch(states: Path, epoch: int) -> None:
    while epochs_kept(states) < epoch:
        time.sleep(0.01)


def kill_under_way(
    dashboard: str | None, states: Path, named: Sequence[str], killed: list[int]
) -> None:
    """Kills those who run the trial, one after the other, four kept epochs after the last."""
    for name in named:
        before = epochs_kept(states)
        # Those before may keep one more; to find out who runs it now takes as long as some epochs.
        wait_for_epoch(states, before + 2)
        victim = alive(dashboard, name)[-1]
        wait_for_epoch(states, before + 4)
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)


def run_and_kill(
    cluster: Cluster, job: Job, folder: StudyFolder, resources: Resources, *named: str
) -> None:
    """Runs a trial to its end, though each of those who run it is killed once."""
    states = folder.checkpoints / job.trial.id
    killed: list[int] = []
    killer = threading.Thread(
        target=kill_under_way, args=(cluster.dashboard, states, named, killed), daemon=True
    )
    killer.start()
    heard = run([job], folder, resources, max_failures=len(named), save_interval_s=0)
    killer.join(timeout=1)
    assert len(killed) == len(named)
    assert heard.reasons == {}
    assert not states.exists()


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_goes_on_and_ends_as_undisturbed(
    cluster: Cluster, planned: tuple[StudyFolder, Plan]
) -> None:
    folder, plan = planned
    job = learning(plan, 80, seed=20)
    # Tune's name for a function's actor.
    run_and_kill(cluster, job, folder, ONE, "ImplicitFunc")
    torch.set_num_threads(1)
    undisturbed = run_trial(job.trial, folder, None)
    (row,) = read_trials(folder.out, [job.trial.id]).to_pylist()
    assert row["test_acc_last"] == accuracy(undisturbed)
    steps = read_steps(folder.out, [job.trial.id])
    assert steps["epoch"].to_pylist() == list(range(80))
    losses = [epoch.record.train_loss for epoch in undisturbed.epochs]
    assert steps["train_loss"].to_pylist() == np.float32(losses).tolist()


@pytest.mark.slow
def test_a_trial_of_two_workers_goes_on_after_each_kill_and_ends_as_undisturbed(
    cluster: Cluster, on_two: OnTwo, tmp_path: Path
) -> None:
    undisturbed, job = on_two.folder, on_two.jobs[-1]
    folder = StudyFolder(tmp_path / "out")
    for name in ("datasets", "teachers"):
        shutil.copytree(undisturbed.out / name, folder.out / name)
    # One of its workers; then its driver, which takes Ray Train's controller with it.
    run_and_kill(cluster, job, folder, Resources(2), "RayTrainWorker", "ImplicitFunc")
    found, expected = (read_steps(place.out, [job.trial.id]) for place in (folder, undisturbed))
    assert found["epoch"].to_pylist() == list(range(20))
    for column in ("train_loss", "val_loss", "tau_s", "tau_t"):
        assert found[column].to_pylist() == expected[column].to_pylist(), column


class KillsWhoeverIsIdle(Heard):
    """After the first finished trial its process dies, which Tune has kept for the next one."""

    def __init__(self, folder: StudyFolder, dashboard: str | None) -> None:
        super().__init__(folder)
        self.dashboard = dashboard

    def done(self, job: Job, result: FinishedTrial) -> None:
        super().done(job, result)
        if len(self.done_ids) == 1:
            (idle,) = alive(self.dashboard, "ImplicitFunc")
            os.kill(idle, signal.SIGKILL)


def test_a_process_that_dies_between_two_trials_costs_the_next_one_a_single_try(
    cluster: Cluster, planned: tuple[StudyFolder, Plan]
) -> None:
    folder, plan = planned
    jobs = [learning(plan, 2, seed=seed) for seed in (30, 31)]
    heard = KillsWhoeverIsIdle(folder, cluster.dashboard)
    context = RunContext(folder, ONE, git_commit="abc")
    run_jobs(context, SchedulerOfJobs(Curves(folder, ()), jobs), lambda: 1, heard, max_failures=1)
    assert heard.reasons == {}
    assert heard.done_ids == [job.trial.id for job in jobs]

"""What the driver does with the results of trials: committed together, and only then acted upon."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from made_up_run import outcome
from refilled_scheduler import SchedulerOfJobs

from metakd.data.datasets import ImageDataset, open_dataset
from metakd.results.reader import finished_trials, read_steps
from metakd.results.study import StoreError
from metakd.results.writer import FinishedTrial
from metakd.study import commits as commits_module
from metakd.study.cases import Job
from metakd.study.curves import Curves
from metakd.study.dispatch import Dispatcher, Watcher
from metakd.study.plan import BankPolicy, make_plan
from metakd.study.spec import StudySpec
from metakd.train.commit import result_of
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import InFlight

SPEC = StudySpec("s", scales=(0.3,), augmentations=("none",), seeds=2, epochs=1)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Seen(Watcher):
    """Notes the trials that are done, and whether their rows were in the store by then."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.done_ids: list[str] = []

    def done(self, job: Job, result: FinishedTrial) -> None:
        assert job.trial.id in finished_trials(self.out)
        curve = read_steps(self.out, [job.trial.id])["val_acc"].to_pylist()
        assert result.val_acc.tolist() == curve
        self.done_ids.append(job.trial.id)


class Running:
    """A dispatcher with all jobs of a small study under way, and a clock."""

    def __init__(self, out: Path, dataset: ImageDataset, clock: Clock) -> None:
        plan = make_plan(SPEC, [dataset], BankPolicy("live"))
        self.clock, self.folder = clock, StudyFolder(out)
        self.scheduler = SchedulerOfJobs(Curves(self.folder, ()), plan.jobs)
        self.seen = Seen(out)
        self.dispatcher = Dispatcher(
            self.folder, self.scheduler, lambda: 100, self.seen, max_failures=1
        )
        self.jobs: list[Job] = []
        while (job := self.dispatcher.next_job(str(len(self.jobs)))) is not None:
            assert isinstance(job, Job)
            self.jobs.append(job)

    def result(self, number: int) -> FinishedTrial:
        trial = self.jobs[number].trial
        return result_of(trial, outcome(trial, 0.0), "abc")

    def finish(self, *numbers: int) -> None:
        for number in numbers:
            self.dispatcher.finished(str(number), self.result(number))

    def ids(self, *numbers: int) -> set[str]:
        return {self.jobs[number].trial.id for number in numbers}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return open_dataset("digits", tmp_path_factory.mktemp("datasets"))


@pytest.fixture
def running(tmp_path: Path, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> Running:
    clock = Clock()
    monkeypatch.setattr(commits_module, "time", clock)
    return Running(tmp_path / "out", digits, clock)


def files(running: Running) -> list[str]:
    return sorted(path.name for path in (running.folder.out / "trials").glob("*"))


def test_the_first_is_committed_at_once_and_those_of_the_next_second_together(
    running: Running,
) -> None:
    assert len(running.jobs) > 4
    running.finish(0)
    assert running.seen.done_ids == list(running.ids(0))
    running.finish(1, 2)
    running.dispatcher.look(running=3)
    assert len(running.seen.done_ids) == 1
    assert finished_trials(running.folder.out) == running.ids(0)
    running.clock.now += commits_module.INTERVAL_S
    running.dispatcher.look(running=3)
    assert set(running.seen.done_ids) == finished_trials(running.folder.out)
    assert finished_trials(running.folder.out) == running.ids(0, 1, 2)
    first, part = files(running)
    assert first == f"{running.jobs[0].trial.id}.parquet"
    assert part.startswith("part-000001-000001-")
    assert running.dispatcher.error is None


def test_nothing_waits_where_nothing_runs(running: Running) -> None:
    running.finish(*range(len(running.jobs)))
    assert not running.dispatcher.is_over
    assert running.dispatcher.next_job("further") is None
    assert running.dispatcher.is_over
    assert finished_trials(running.folder.out) == {job.trial.id for job in running.jobs}
    assert len(files(running)) == 2


def test_a_slow_store_is_written_to_a_tenth_of_the_time(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commits_module.commit

    def slow(results: Sequence[object], folder: StudyFolder) -> None:
        running.clock.now += 3.0
        commit(results, folder)  # type: ignore[arg-type]

    monkeypatch.setattr(commits_module, "commit", slow)
    running.finish(0)
    running.finish(1)
    for _ in range(29):
        running.clock.now += 1.0
        running.dispatcher.look(running=1)
    assert len(running.seen.done_ids) == 1
    running.clock.now += 1.0
    running.dispatcher.look(running=1)
    assert len(running.seen.done_ids) == 2


def test_states_stay_until_the_commit(running: Running) -> None:
    for job in running.jobs[:3]:
        InFlight(running.folder, job.trial.id).save(1, {"epoch": 1})
    running.finish(0)
    running.finish(1)
    kept = {path.name for path in running.folder.checkpoints.iterdir()}
    assert kept == running.ids(1, 2)
    running.dispatcher.commit()
    kept = {path.name for path in running.folder.checkpoints.iterdir()}
    assert kept == running.ids(2)


@pytest.mark.parametrize("error", [StoreError("it does not answer"), OSError(28, "no space left")])
def test_what_cannot_be_committed_ends_the_run_and_counts_nowhere(
    running: Running, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    running.finish(0)
    InFlight(running.folder, running.jobs[1].trial.id).save(1, {"epoch": 1})

    def refuse(results: Sequence[object], folder: StudyFolder) -> None:
        raise error

    monkeypatch.setattr(commits_module, "commit", refuse)
    running.finish(1)
    running.dispatcher.commit()
    assert running.dispatcher.error is error
    assert running.dispatcher.is_over
    assert running.dispatcher.next_job("further") is None
    assert running.seen.done_ids == list(running.ids(0))
    assert not running.scheduler.is_over
    assert InFlight(running.folder, running.jobs[1].trial.id).latest() == {"epoch": 1}


def test_a_finished_trial_that_waits_is_not_run_again(running: Running) -> None:
    running.finish(0)
    running.finish(1)
    running.dispatcher.put_back_all()
    running.dispatcher.commit()
    again = {job.id for job in running.scheduler.known()}
    assert again == {job.trial.id for job in running.jobs[2:]}
    assert set(running.seen.done_ids) == running.ids(0, 1)


def test_what_a_watcher_raises_ends_the_run(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(28, "no space left")

    def raise_it(job: object, epochs_done: int) -> None:
        raise error

    monkeypatch.setattr(running.seen, "epoch", raise_it)
    running.dispatcher.epoch("0", 1)
    assert running.dispatcher.error is error


def test_a_job_that_fails_is_tried_again_so_often(running: Running) -> None:
    failed: list[str] = []
    running.seen.failed = lambda job, reason: failed.append(reason)  # type: ignore[method-assign]
    running.dispatcher.failed("0", "ValueError: first")
    (again,) = running.scheduler.known()
    assert again is running.jobs[0]
    assert running.dispatcher.next_job("again") is again
    assert failed == []
    running.dispatcher.failed("again", "ValueError: second")
    assert failed == ["ValueError: second"]
    assert running.scheduler.known() == []
    assert running.dispatcher.error is None

"""Memory that runs out: recognised, tried again with less at once, named in the end."""

import io
from pathlib import Path

import pytest
from refilled_scheduler import SchedulerOfJobs

from metakd.data.datasets import open_dataset
from metakd.memory import MemoryRanOutError, is_about_memory
from metakd.study import dispatch
from metakd.study.console import PlainConsole
from metakd.study.curves import Curves
from metakd.study.dispatch import Dispatcher, Watcher
from metakd.study.plan import make_plan
from metakd.study.run import with_less_at_once
from metakd.study.spec import StudySpec
from metakd.train.failure_report import reason_of
from metakd.train.folder import StudyFolder

RAY_KILLED = """
ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.
Memory on the node (IP: 10.0.0.1, ID: 6d) was 22.7GB / 23.5GB (0.96), above the threshold of 0.95.
Refer to the documentation on how to address the out of memory issue: https://docs.ray.io/en/latest.
"""
DIED = """
ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.
class_name: ImplicitFunc
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit
detail: Worker unexpectedly exits with a connection error code 2. End of file. There are some
potential root causes. (1) The process is killed by SIGKILL by OOM killer due to high memory usage.
(2) ray stop --force is called. (3) The worker is crashed unexpectedly due to SIGSEGV.
"""


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (RAY_KILLED, "running low on memory"),
        ("Traceback\n  x\nMemoryError", "MemoryError"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.", "2 GiB"),
        ("RuntimeError: [enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: x", "alloc_cpu"),
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 4 TiB", "4 TiB"),
        ("pyarrow.lib.ArrowMemoryError: malloc of size 9 failed", "malloc of size 9"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "bad_alloc"),
        ("OSError: [Errno 12] Cannot allocate memory", "Errno 12"),
        ("\x1b[36mray::f()\x1b[39m\nRuntimeError: CUDA error: out of memory", "CUDA error"),
    ],
)
def test_it_is_recognised_and_said_in_one_line(report: str, reason: str) -> None:
    assert is_about_memory(report)
    found = reason_of(report)
    assert found.startswith("memory ran out: ")
    assert reason in found
    assert "documentation" not in found
    assert "\n" not in found


@pytest.mark.parametrize(
    "report", [DIED, "ValueError: training loss is nan", "KeyError: 'memory'", ""]
)
def test_other_failures_are_none_of_it(report: str) -> None:
    assert not is_about_memory(report)
    assert not reason_of(report).startswith("memory ran out")


def test_a_process_that_died_is_told_in_words() -> None:
    assert reason_of(DIED).startswith("its process died, killed from outside")
    assert reason_of("ValueError: x\n  \n") == "ValueError: x"


class Machine:
    """A machine on which so many run at once before memory runs out."""

    def __init__(self, fits: int, has: int, name: str = "big") -> None:
        self.fits, self.has, self.name = fits, has, name
        self.tried: list[int | None] = []

    def run(self, at_most: int | None) -> None:
        self.tried.append(at_most)
        running = min(self.has, at_most or self.has)
        if running > self.fits:
            raise MemoryRanOutError(self.name, "memory ran out: CUDA out of memory", running)


def ran(machine: Machine, at_most: int | None) -> str:
    console = PlainConsole()
    console.file = io.StringIO()
    with_less_at_once(machine.run, at_most, console)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("fits", "has", "at_most", "tried"),
    [
        (8, 8, None, [None]),
        (4, 8, None, [None, 4]),
        (1, 8, None, [None, 4, 2, 1]),
        (2, 8, 5, [5, 2]),
        (1, 3, None, [None, 1]),
    ],
)
def test_it_goes_on_with_half_as_many_at_once(
    fits: int, has: int, at_most: int | None, tried: list[int | None]
) -> None:
    machine = Machine(fits, has)
    said = ran(machine, at_most)
    assert machine.tried == tried
    assert said.count("memory       ran out") == len(tried) - 1


@pytest.mark.parametrize("has", [1, 2])
def test_one_that_does_not_fit_alone_ends_it_with_the_remedy(has: int) -> None:
    machine = Machine(0, has)
    with pytest.raises(MemoryRanOutError, match=r"big: memory ran out: CUDA.*smaller --student"):
        ran(machine, None)
    assert machine.tried == [None, 1] if has == 1 else [None, 1, 1]


class UnderWay:
    """Two of three trials or more that run."""

    def __init__(self, folder: Path) -> None:
        spec = StudySpec("s", scales=(0.3,), augmentations=("none",), seeds=1, epochs=1)
        plan = make_plan(spec, [open_dataset("digits", folder / "datasets")])
        here = StudyFolder(folder)
        self.scheduler = SchedulerOfJobs(Curves(here, ()), plan.jobs)
        self.known = {job.id for job in self.scheduler.known()}
        self.dispatcher = Dispatcher(here, self.scheduler, lambda: 2, Watcher(), max_failures=1)
        self.dispatcher.next_job("first")
        self.dispatcher.next_job("second")
        self.dispatcher.look(running=2)


def test_whatever_was_under_way_is_scheduled_again(tmp_path: Path) -> None:
    under = UnderWay(tmp_path)
    assert len(under.scheduler.known()) == len(under.known) - 2
    under.dispatcher.failed("first", RAY_KILLED)
    assert isinstance(under.dispatcher.error, MemoryRanOutError)
    assert under.dispatcher.error.at_once == 2
    assert under.dispatcher.is_over
    assert under.dispatcher.next_job("third") is None
    under.dispatcher.put_back_all()
    assert {job.id for job in under.scheduler.known()} == under.known


@pytest.mark.parametrize(("kills", "is_of_memory"), [([4, 5], True), ([4, 4], False)])
def test_a_death_is_of_memory_where_the_kernel_killed_for_it(
    kills: list[int], is_of_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = iter(kills)
    monkeypatch.setattr(dispatch, "oom_kills", lambda: next(counted))
    under = UnderWay(tmp_path)
    under.dispatcher.failed("first", DIED)
    assert isinstance(under.dispatcher.error, MemoryRanOutError) == is_of_memory
    if is_of_memory:
        assert "the kernel killed its process" in str(under.dispatcher.error)
    else:
        assert len(under.scheduler.known()) == len(under.known) - 1

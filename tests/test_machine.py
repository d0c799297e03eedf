"""What a process may use of its machine, as containers and schedulers limit it."""

import os
from pathlib import Path

import pytest

from metakd.machine import memory_limit, oom_kills, usable_cpus

HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Groups:
    """Control groups in a folder, and which of them the process is in."""

    def __init__(self, folder: Path, membership: str, **files: str) -> None:
        self.root = folder / "cgroup"
        self.root.mkdir()
        self.membership = folder / "membership"
        self.membership.write_text(membership)
        for name, content in files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def cpus(self) -> int:
        return usable_cpus(self.root, self.membership)

    def memory(self) -> int | None:
        return memory_limit(self.root, self.membership)


def allow(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(count)), raising=False)


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000", 8), ("300000 100000", 3), ("150000 100000", 1), ("50000 100000", 1), ("", 8)],
)
def test_the_quota_of_version_2(
    quota: str, cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, 8)
    assert Groups(tmp_path, "0::/\n", **{"cpu.max": quota}).cpus() == cpus


def test_a_group_further_out_sets_the_limit_of_a_slurm_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, 64)
    job = "system.slice/slurmstepd.scope/job_7"
    files = {
        f"{job}/cpu.max": "1600000 100000",
        f"{job}/memory.max": str(8 * 2**30),
        f"{job}/step_0/cpu.max": "max 100000",
        f"{job}/step_0/memory.max": "max",
    }
    groups = Groups(tmp_path, f"0::/{job}/step_0/user/task_0\n", **files)
    assert groups.cpus() == 16
    assert groups.memory() == 8 * 2**30


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
def test_the_quota_of_version_1(
    mount: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, 8)
    files = {
        f"{mount}/docker/a/cpu.cfs_quota_us": "400000",
        f"{mount}/docker/a/cpu.cfs_period_us": "100000",
        f"{mount}/cpu.cfs_quota_us": "-1",
        f"{mount}/cpu.cfs_period_us": "100000",
        "memory/docker/a/memory.limit_in_bytes": str(3 * 2**30),
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }
    membership = "5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n0::/\n"
    groups = Groups(tmp_path, membership, **files)
    assert (groups.cpus(), groups.memory()) == (4, 3 * 2**30)


def test_inside_a_container_the_path_may_be_that_on_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, 8)
    files = {
        "cpu/cpu.cfs_quota_us": "200000",
        "cpu/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": str(2**30),
    }
    groups = Groups(tmp_path, "4:memory:/docker/a\n3:cpu:/docker/a\n", **files)
    assert (groups.cpus(), groups.memory()) == (2, 2**30)


def test_affinity_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, 3)
    groups = Groups(tmp_path, "nonsense\n0::/\n", **{"cpu.max": "800000 100000"})
    assert (groups.cpus(), groups.memory()) == (3, None)


def test_without_control_groups(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "none", tmp_path / "none") == HERE
    assert memory_limit(tmp_path / "none", tmp_path / "none") is None


def test_this_machine_is_read() -> None:
    assert 1 <= usable_cpus() <= HERE


def test_kills_of_the_kernel_are_counted(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("nr_free_pages 9\noom_kill 3\noom_kill_other 7\n")
    assert oom_kills(tmp_path / "vmstat") == 3
    assert oom_kills(tmp_path / "none") == 0

"""What a process may use of its machine: CPUs and memory within the limits that are set for it.

A machine's own numbers are too high inside a container, a Slurm job or under ``taskset``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
VMSTAT = Path("/proc/vmstat")


def usable_cpus(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Returns how many CPUs this process may keep busy, at least 1.

    The least of its affinity (``taskset``, Slurm, cpusets) and its cgroup's quota, rounded down.

    Args:
        cgroups: Where the control groups are mounted, version 1 or 2.
        membership: In which of them this process is.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on macOS
        allowed = os.cpu_count() or 1
    quotas = [
        *(_quota(*_text(folder / "cpu.max").split()) for folder in _groups(cgroups, membership)),
        *(
            _quota(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))
            for folder in _groups(cgroups, membership, "cpu")
        ),
    ]
    return max(1, int(min([allowed, *(quota for quota in quotas if quota is not None)])))


def memory_limit(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Returns the bytes of memory that this process's cgroup may use, None without a limit.

    Args:
        cgroups: Where the control groups are mounted, version 1 or 2.
        membership: In which of them this process is.
    """
    limits = [
        *(_text(folder / "memory.max") for folder in _groups(cgroups, membership)),
        *(
            _text(folder / "memory.limit_in_bytes")
            for folder in _groups(cgroups, membership, "memory")
        ),
    ]
    # Version 1 says "no limit" by a number above any machine's memory.
    known = [int(limit) for limit in limits if limit.isdecimal() and int(limit) < 2**60]
    return min(known, default=None)


def oom_kills(vmstat: Path = VMSTAT) -> int:
    """Returns how many processes of this machine the kernel has killed for want of memory."""
    for line in _text(vmstat).splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.isdecimal():
            return int(count)
    return 0


def _groups(cgroups: Path, membership: Path, controller: str = "") -> Iterator[Path]:
    """Yields the folders of this process's groups, innermost first: each of them can set a limit.

    Inside a container the path may be that on its host; the mount's root then is the group.

    Args:
        cgroups: Where the control groups are mounted.
        membership: In which of them this process is.
        controller: That of version 1; "" is version 2, which has one tree for all.
    """
    for line in _text(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller not in controllers.split(","):
            continue
        roots = [controllers, controller] if controller else [".", "unified"]
        for root in dict.fromkeys(cgroups / name for name in roots):
            inner = Path(path.strip("/"))
            for part in (inner, *inner.parents):
                if (root / part).is_dir():
                    yield root / part


def _quota(runs: str = "", period: str = "") -> float | None:
    if not (runs.isdecimal() and period.isdecimal()) or not int(runs) or not int(period):
        return None
    return int(runs) / int(period)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

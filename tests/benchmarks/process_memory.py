"""What a process holds in memory: of its own, shared with others, and at its peak."""

import contextlib
import resource
from pathlib import Path

import torch

MEMORY = ("own_mib", "bank_mib", "bank_mapped_mib")
SMAPS = Path("/proc/self/smaps")
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def memory_of(bank: Path) -> dict[str, float]:
    """Returns this process's memory in MiB; not a number where the system does not say.

    - ``own_mib``: what no other process has, outside of the bank;
    - ``bank_mib``: its part of the bank's pages, each divided by the processes that have it;
    - ``bank_mapped_mib``: the bank's pages that it has, whoever else has them.

    Args:
        bank: The folder whose files count as the bank.
    """
    if not SMAPS.exists():
        return dict.fromkeys(MEMORY, float("nan"))
    found = dict.fromkeys(MEMORY, 0.0)
    is_bank = False
    for line in SMAPS.read_text().splitlines():
        name, _, value = line.partition(":")
        if "-" in name.split()[0]:
            is_bank = str(bank) in line
        elif name == "Pss" and is_bank:
            found["bank_mib"] += _mib(value)
        elif name == "Rss" and is_bank:
            found["bank_mapped_mib"] += _mib(value)
        elif name.startswith("Private_") and not is_bank:
            found["own_mib"] += _mib(value)
    return found


def reset_peak(device: str) -> int:
    """Forgets earlier peaks, where the system can, and returns the bytes in use.

    Args:
        device: "cpu" or "cuda".
    """
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        with contextlib.suppress(OSError):
            CLEAR_REFS.write_text("5")
    return peak_bytes(device)


def peak_bytes(device: str) -> int:
    """Returns the most bytes that were in use: allocated on a GPU, resident on a CPU.

    Args:
        device: "cpu" or "cuda".
    """
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if STATUS.exists():
        # Linux hands a parent's ru_maxrss down to its children; this peak is the process's own.
        (line,) = (x for x in STATUS.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _mib(value: str) -> float:
    return int(value.removesuffix("kB")) / 1024

"""What a process holds in memory of its own, and what it shares, as Linux counts it."""

from pathlib import Path

MEMORY = ("own_mib", "bank_mib", "bank_mapped_mib")
SMAPS = Path("/proc/self/smaps")


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


def _mib(value: str) -> float:
    return int(value.removesuffix("kB")) / 1024

"""Why a worker failed, in one line, out of the pages that Ray writes of it."""

import re

from metakd.memory import is_about_memory, memory_line

NO_REPORT = "Ray left no report of it"
DIED = ("actor died unexpectedly", "worker died", "worker crashed", "actor is dead")
"""Words of Ray's, in lower case, where a process ended without an exception."""
LONGEST = 300
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def reason_of(report: str) -> str:
    """Returns the line of a report that says why: that of the exception in the worker.

    Args:
        report: A traceback, or what Ray writes of a process that died.
    """
    lines = [line.strip() for line in COLOURS.sub("", report).splitlines() if line.strip()]
    if not lines:
        return NO_REPORT
    if is_about_memory(report):
        return f"memory ran out: {_short(memory_line(COLOURS.sub('', report)))}"
    if is_death(report):
        return "its process died, killed from outside or by the kernel for want of memory"
    return lines[-1]


def is_death(report: str) -> bool:
    """Says whether a report is of a process that ended without an exception."""
    return any(words in report.lower() for words in DIED)


def _short(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."

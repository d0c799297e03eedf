"""Memory that runs out: how it is recognised in the errors of others, and what a user can do."""

from metakd.errors import UserError

REMEDY = (
    "run fewer trials at once (--max-concurrent 1), keep less (--bank live), take a smaller "
    "--student or --teacher, or ask for more memory (--mem in Slurm, --memory in docker)"
)
SIGNS = (
    *("memory ran out", "out of memory", "out-of-memory", "outofmemory", "memoryerror"),
    *("can't allocate memory", "cannot allocate memory", "unable to allocate", "low on memory"),
    *("bad_alloc", "defaultcpuallocator", "cublas_status_alloc_failed"),
)
"""Words of PyTorch, numpy, Arrow, Ray, C++ and the kernel, in lower case."""
# Ray ends its reports with it.
ADVICE = "refer to the documentation"


class MemoryRanOutError(UserError):
    """Memory ran out while trials, or what they share, were under way.

    Attributes:
        name: What failed of it.
        at_once: How many were under way.
    """

    def __init__(self, name: str, reason: str, at_once: int) -> None:
        super().__init__(f"{name}: {reason}: {REMEDY}")
        self.name = name
        self.at_once = at_once


def is_about_memory(report: str) -> bool:
    """Says whether an error's report is one of memory that ran out.

    Args:
        report: One line or many, as PyTorch, Ray, numpy or the kernel wrote it.
    """
    return any(sign in report.lower() for sign in SIGNS)


def memory_line(report: str) -> str:
    """Returns the line of a report that says best what could not be allocated."""
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    about = [line for line in lines if is_about_memory(line) and ADVICE not in line.lower()]
    # A traceback ends with its exception.
    return about[-1] if about else (lines[-1] if lines else "")

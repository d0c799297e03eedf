"""How a study is run: what the user wants of the machines. Nothing here changes a result."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from metakd.data.catalogue import DatasetOptions
from metakd.errors import UserError
from metakd.student_card import KeepStudents

if TYPE_CHECKING:
    from metakd.results.object_store import ObjectStore

Mode = Literal["full", "logits", "live"]
MODES: tuple[Mode, ...] = ("full", "logits", "live")
TRACKERS = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
"""Experiment trackers, and the package that each needs."""
MOST_AT_ONCE = 100_000
"""More workers or trials at once no cluster of Ray has."""
MOST_FAILURES = 1000
PILOTS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""When a study that runs until it is decided looks: compute behind each look, in the pilot's."""
MOST_LOOKS = 100
MOST_PILOTS = 1000.0
MOST_HOURS = 100_000
LEAST_PART = 1e-4
"""Ray counts CPUs and GPUs in ten-thousandths."""


@dataclass(frozen=True)
class BankPolicy:
    """What of views and outputs is kept."""

    mode: Mode | None = None
    """full: both; logits: outputs, features among them, and views are made anew; live: neither.
    None chooses by size."""
    limit_bytes: int = 4 * 2**30
    """Room for all banks where the mode is chosen by size."""


CHOSEN_BY_SIZE = BankPolicy()


class ResourceError(UserError):
    """A trial needs more than the cluster has."""


@dataclass(frozen=True)
class Wanted:
    """What the user wants; None leaves it to the cluster."""

    workers: int = 1
    """Workers of each trial."""
    cpus: float | None = None
    """CPUs of each trial, over all its workers."""
    gpus: float | None = None
    """GPUs of each trial, over all its workers; a fraction lets trials share one."""
    max_concurrent: int | None = None
    """How many trials may run at once."""

    def __post_init__(self) -> None:
        for name, count in (
            ("workers-per-trial", self.workers),
            ("max-concurrent", self.max_concurrent),
        ):
            if count is not None and count < 1:
                raise ResourceError(f"{name} must be at least 1, got {count}")
            if count is not None and count > MOST_AT_ONCE:
                raise ResourceError(f"{name} must be at most {MOST_AT_ONCE:,}, got {count}")
        if self.cpus is not None and not _is_share(self.cpus / self.workers):
            raise ResourceError(
                f"cpus-per-trial must give each of {self.workers} workers a part of a CPU "
                f"({LEAST_PART:g} or more) or whole ones, got {self.cpus:g}"
            )
        if self.gpus is not None:
            each = self.gpus / self.workers
            if each != 0 and not _is_share(each):
                raise ResourceError(
                    f"gpus-per-trial must give each of {self.workers} workers none, a part of a "
                    f"GPU ({LEAST_PART:g} or more), or whole ones, got {self.gpus:g}"
                )
            if self.workers > 1 and 0 < each < 1:
                raise ResourceError(
                    f"{self.workers} workers need a GPU each (NCCL has no two of them on one), got "
                    f"gpus-per-trial {self.gpus:g}: give {self.workers}, or 0 to train on CPUs"
                )


def _is_share(each: float) -> bool:
    """Says whether a worker can have so much of a resource: a part of one, or whole ones."""
    return LEAST_PART <= each <= 1 or (math.isfinite(each) and each > 1 and each == int(each))


@dataclass(frozen=True)
class UntilDecided:
    """A study goes on until a declared look decides it, or its budget is spent."""

    pilots: tuple[float, ...] = PILOTS
    """Compute behind each look, in that of the pilot."""
    max_hours: float | None = None
    """No trial begins after so many hours of this run; None is no limit."""
    max_runs: int | None = None
    """No block begins with which the study would have more trials; None is no limit."""

    def __post_init__(self) -> None:
        shown = " ".join(f"{pilots:g}" for pilots in self.pilots)
        if self.pilots[:1] != (1.0,) or any(b <= a for a, b in pairwise(self.pilots)):
            raise ResourceError(
                "looks are compute in pilots, from 1 on and rising, such as 1 2 4 8, got "
                f"{shown or 'none'}"
            )
        if len(self.pilots) > MOST_LOOKS or self.pilots[-1] > MOST_PILOTS:
            raise ResourceError(
                f"looks are at most {MOST_LOOKS}, the last at {MOST_PILOTS:g} pilots or before, "
                f"got {shown}"
            )
        if self.max_hours is not None and not 0 < self.max_hours <= MOST_HOURS:
            raise ResourceError(
                f"max-hours must be above 0 and at most {MOST_HOURS:,}, got {self.max_hours:g}"
            )
        if self.max_runs is not None and self.max_runs < 1:
            raise ResourceError(f"max-runs must be at least 1, got {self.max_runs}")


@dataclass(frozen=True)
class RunOptions:
    """How a study is run; nothing here changes a result."""

    cluster: str
    """auto, local or HOST:PORT."""
    out: Path
    """The results folder; where results go to an object store, this machine's copy of them."""
    store: "ObjectStore | None"
    """The object store."""
    data: DatasetOptions
    """How the dataset is found and read."""
    banks: BankPolicy
    """What is kept of views and of the teacher's outputs."""
    wanted: Wanted
    """What each trial is to be given of the cluster."""
    max_failures: int
    """How often a trial is tried again after it failed."""
    save_interval_s: float
    """At least so much time lies between two kept states of a trial."""
    dry_run: bool
    """Print the plan and its cost, run nothing."""
    report: bool
    """Write the HTML report."""
    until_decided: UntilDecided | None = None
    """Go on until a look decides; None takes one look, at the end."""
    keep_students: KeepStudents = "best"
    """Which trained students are kept."""
    trackers: tuple[str, ...] = ()
    """Experiment trackers that trials and the verdict are logged to."""
    power_of: Path | None = None
    """A store by whose variances the time to decide is planned; nothing runs."""
    assume: str | None = None
    """Machines that the plan's cost is predicted for, such as "8xH100"; nothing runs."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The options that were given, for ``--config`` of another study."""
    notes: tuple[str, ...] = ()
    """What the plan is to say of the command line itself."""

    @property
    def is_plan_only(self) -> bool:
        """Whether nothing is to run."""
        return self.dry_run or self.power_of is not None or self.assume is not None

    def __post_init__(self) -> None:
        if self.max_failures < 0:
            raise ResourceError(f"max-failures must be at least 0, got {self.max_failures}")
        if self.max_failures > MOST_FAILURES:
            raise ResourceError(
                f"max-failures must be at most {MOST_FAILURES:,}, got {self.max_failures}"
            )
        if not self.save_interval_s >= 0:
            raise ResourceError(f"save-interval must be at least 0, got {self.save_interval_s:g}")
        if self.save_interval_s == math.inf:
            raise ResourceError("save-interval must be finite, got inf")

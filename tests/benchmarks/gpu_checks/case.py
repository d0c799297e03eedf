"""What a case of a check is given, and what it finds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

Value = TypeVar("Value")


class Found(NamedTuple):
    """What a case found.

    Attributes:
        ok: Whether its goal is reached; None where it has none, or cannot be run here.
        numbers: What was measured, JSON values by name.
    """

    ok: bool | None
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """Where and how a check is run.

    Attributes:
        device: "cuda", or "cpu" for the rehearsal.
        is_tiny: Whether sizes are those of the rehearsal.
        out: The folder of the results.
        work: A folder for what nobody reads later.
        data: A folder with ``cifar10`` and ``cifar100`` in the Hugging Face layout; None: pictures
            are made up.
        until: When the check has to be over, of ``time.time()``.
    """

    device: str
    is_tiny: bool
    out: Path
    work: Path
    data: Path | None
    until: float

    def size(self, full: Value, tiny: Value) -> Value:
        """Returns the size of the device, or of the rehearsal."""
        return tiny if self.is_tiny else full

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.until - time.time()

    def dataset(self, name: str) -> str:
        """Returns what ``open_dataset`` calls CIFAR here."""
        if self.data is not None:
            return f"parquet:{self.data / name}"
        classes = 100 if name == "cifar100" else 10
        return f"synthetic:samples={self.size(50_000, 500)},classes={classes}"

    def wait(self) -> None:
        """Waits until the device has done all it was given."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, step: Callable[[], object], steps: int) -> float:
        """Returns the seconds of a step, after two that are not counted."""
        for _ in range(2):
            step()
        self.wait()
        start = time.perf_counter()
        for _ in range(steps):
            step()
        self.wait()
        return (time.perf_counter() - start) / steps


Case = Callable[[Setup], Found]


def largest_difference(found: Any, expected: Any) -> float:
    """Returns the largest difference of two sequences of numbers, relative to the larger scale."""
    a, b = torch.as_tensor(found).double().cpu(), torch.as_tensor(expected).double().cpu()
    scale = max(float(b.abs().max()), 1e-30)
    return float((a - b).abs().max()) / scale

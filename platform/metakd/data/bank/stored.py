"""Where a bank's arrays lie, and how they are read."""

import json
from pathlib import Path

import torch
from torch import Tensor

from metakd.data.bank.parts import BankError, Parts
from metakd.data.catalogue import OutputType

# Other outputs than logits are maps: a part of them is one view, or it would not fit in memory.
SMALL = "logits"


class Stored:
    """An array by view number and row, mapped into memory."""

    def __init__(self, parts: Parts) -> None:
        self._views_per_part = parts.views_per_part
        self._parts = parts.open()

    def take(self, rows: Tensor, number: int) -> Tensor:
        """Returns what is kept of some samples' views of this number, (B, ...), in main memory.

        Args:
            rows: Places in the bank's order of samples, (B,) int64.
            number: Number of the view.
        """
        part, place = divmod(number, self._views_per_part)
        return torch.from_numpy(self._parts[part][place][rows.cpu().numpy()])


def views_parts(root: Path, bank_id: str) -> Parts:
    """Returns where a bank's views lie.

    Raises:
        BankError: If there is no such bank.
    """
    return Parts(root / bank_id / "views", *_shape(root, bank_id)[:2])


def outputs_parts(
    root: Path, bank_id: str, teacher_id: str, name: str, kept_as: OutputType
) -> Parts:
    """Returns where a teacher's outputs for a bank's views lie; no other teacher's lie there.

    Raises:
        BankError: If there is no such bank.
    """
    folder = root / bank_id / "outputs" / teacher_id / f"{name}-{kept_as}"
    views, samples = _shape(root, bank_id)[:2]
    if name == SMALL:
        return Parts(folder, views, samples)
    return Parts(folder, views, samples, most_views=1)


def open_views(root: Path, bank_id: str) -> Stored:
    """Opens a bank's views: (V, n, C, H, W) uint8.

    Raises:
        BankError: If there is no such bank, or it lacks views.
    """
    return Stored(views_parts(root, bank_id))


def open_outputs(
    root: Path, bank_id: str, teacher_id: str, kept_as: OutputType, name: str = "logits"
) -> Stored:
    """Opens one teacher's outputs for a bank's views: (V, n, ...).

    Raises:
        BankError: If there is no such bank, or it lacks outputs of this teacher.
    """
    return Stored(outputs_parts(root, bank_id, teacher_id, name, kept_as))


def about_file(root: Path, bank_id: str) -> Path:
    """Returns where a bank says what it is."""
    return root / bank_id / "about.json"


def _shape(root: Path, bank_id: str) -> tuple[int, ...]:
    about = about_file(root, bank_id)
    if not about.exists():
        raise BankError(f"there is no bank {bank_id} in {root}: build it first")
    return tuple(json.loads(about.read_text())["shape"])

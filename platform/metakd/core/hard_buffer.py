"""Samples that the student gets wrong, kept for look-aheads to come."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.ranks import rows_of_all_ranks


class DrawError(ValueError):
    """A look-ahead draws more samples than a buffer can hold."""


class HardBuffer:
    """Fills with whatever comes; then samples that the student gets wrong take random places.

    Samples are kept as they came, augmented. All random numbers are its own.

    Source: MMKD (arXiv 2306.06634), its code, where a buffer whose size is no multiple of the
    batch's never counts as full and grows without bound; here the last batch fills it exactly.

    Args:
        size: How many samples it holds.
        seed: Of places and draws.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._held = 0
        self._kept: Batch | None = None
        self._random = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self._held

    def add(self, batch: Batch, is_wrong: Tensor) -> None:
        """Takes what there is room for; where there is none, the samples that are wrong.

        Args:
            batch: A training batch, B samples.
            is_wrong: Which of them the student got wrong, (B,).
        """
        if self._kept is None:
            self._kept = batch.each(lambda rows: rows.new_zeros(self._size, *rows.shape[1:]))
        if self._held < self._size:
            chosen = torch.arange(min(self._size - self._held, len(batch.labels)))
            places = self._held + chosen
            self._held += len(chosen)
        else:
            chosen = is_wrong.nonzero()[:, 0].cpu()[: self._size]
            places = self._places(len(chosen))
        for kept, rows in zip(self._kept.tensors, batch.tensors, strict=True):
            kept[places.to(kept.device)] = rows.detach()[chosen.to(rows.device)]

    def draw(self, samples: int) -> Batch:
        """Returns so many different samples, each set of them as likely as another.

        Raises:
            DrawError: If it does not hold so many.
        """
        if self._kept is None or samples > self._held:
            raise DrawError(
                f"a look-ahead draws {samples} samples of a hard buffer that holds {self._held} of "
                f"at most {self._size}: raise buffer_size to {samples} or more, or lower "
                "meta_fraction"
            )
        places = self._places(samples)
        return self._kept.each(lambda rows: rows[places.to(rows.device)])

    def state_dict(self) -> dict[str, Any]:
        """Returns what it holds, and the state of its random numbers."""
        kept = None if self._kept is None else self._kept._asdict()
        return {"held": self._held, "kept": kept, "random": self._random.get_state()}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Takes what another held, to a device."""
        self._held, kept = state["held"], state["kept"]
        self._kept = None if kept is None else Batch(**kept).each(lambda rows: rows.to(device))
        self._random.set_state(state["random"].cpu())

    def _places(self, count: int) -> Tensor:
        return torch.randperm(self._held, generator=self._random)[:count]


def batch_of_all_ranks(batch: Batch, group: dist.ProcessGroup | None) -> Batch:
    """Returns the whole batch, of which each rank has every ``world``-th sample."""
    if group is None:
        return batch
    return batch.each(lambda rows: rows_of_all_ranks(rows, group))


def drawn_for_rank(buffer: HardBuffer, samples: int, group: dist.ProcessGroup | None) -> Batch:
    """Returns this rank's share of a draw.

    Args:
        buffer: The same on all ranks.
        samples: How many each rank has.
        group: The ranks of a DDP student.
    """
    if group is None:
        return buffer.draw(samples)
    rank, world = dist.get_rank(group), dist.get_world_size(group)
    return buffer.draw(samples * world).each(lambda rows: rows[rank::world])

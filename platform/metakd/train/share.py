"""One worker's share of every batch, where several train one model together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from metakd.core.batch_norm import share_batch_norm
from metakd.data.counter_random import derive_seed
from metakd.errors import UserError
from metakd.train.trial import Trial

Computed = TypeVar("Computed")


class ShareError(UserError):
    """A batch cannot be shared by so many workers without changing the result."""


@dataclass(frozen=True)
class Share:
    """Every ``workers``-th row from ``rank`` on; alone, all of them."""

    rank: int = 0
    workers: int = 1

    @staticmethod
    def of_this_process() -> "Share":
        """Returns the share of this rank of torch's process group; all where there is none."""
        if not dist.is_initialized():
            return ALONE
        return Share(dist.get_rank(), dist.get_world_size())

    @property
    def group(self) -> dist.ProcessGroup | None:
        """All workers; None for one that is alone."""
        return dist.group.WORLD if self.workers > 1 else None

    def of(self, rows: Tensor) -> Tensor:
        """Returns this worker's rows."""
        return rows[self.rank :: self.workers]

    def agreed(self, compute: Callable[[], Computed]) -> Computed:
        """Returns what the first worker computes, on all of them."""
        if self.group is None:
            return compute()
        computed: list[Any] = [compute() if self.rank == 0 else None]
        dist.broadcast_object_list(computed, src=0)
        result: Computed = computed[0]
        return result

    def seed_dropout(self, seed: int, epoch: int) -> None:
        """Seeds PyTorch before an epoch: workers drop apart from each other."""
        own = derive_seed(seed, f"dropout of epoch {epoch}, worker {self.rank}")
        # As torch.manual_seed, which takes 0.1 ms for the kinds of devices that are not there.
        torch.default_generator.manual_seed(own)
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(own)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Returns the model as all workers train it: BatchNorm sees the whole batch, as alone."""
        if self.group is None:
            return model
        # Running statistics are those of all ranks already: nothing to broadcast.
        return DistributedDataParallel(
            share_batch_norm(model, self.group),
            broadcast_buffers=False,
            gradient_as_bucket_view=True,
        )


ALONE = Share()


def require_even(batch_size: int, workers: int) -> None:
    """Checks that workers can have equal shares of a batch.

    Raises:
        ShareError: If they cannot.
    """
    if batch_size % workers:
        raise ShareError(
            f"{workers} workers cannot share a batch of {batch_size} samples evenly: choose "
            f"{largest_divisor(batch_size, workers)} workers"
        )


def require_same_result(trial: Trial, samples: int, held_out: int, workers: int) -> None:
    """Checks that a trial's result does not depend on how many workers share its batches.

    Args:
        trial: The trial.
        samples: How many samples it trains on.
        held_out: How many samples are held out.
        workers: How many workers share each batch.

    Raises:
        ShareError: If the batches, or what a look-ahead sees of them, cannot be shared evenly.
    """
    batch = min(trial.recipe.batch_size, samples)
    require_even(batch, workers)
    distiller = trial.distiller
    if distiller.reads_whole_batches and workers > 1:
        raise ShareError(
            f"{workers} workers would each see a Gram matrix of their own share of a batch, which "
            f"{distiller.method} as configured reads whole: choose 1 worker, or "
            "feature_input='pooled'"
        )
    whole, share = (distiller.samples_of(size) for size in (batch, batch // workers))
    if share * workers != whole:
        raise ShareError(
            f"{workers} workers cannot share the {whole} of {batch} samples that a look-ahead "
            f"sees: choose fewer workers, {largest_divisor(whole, workers - 1)} for example"
        )
    if distiller.learns_from_held_out and held_out < whole and held_out % workers:
        raise ShareError(
            f"{workers} workers cannot share the {held_out} held-out samples that judge a "
            f"look-ahead evenly: choose {largest_divisor(held_out, workers - 1)} workers"
        )


def largest_divisor(number: int, at_most: int) -> int:
    """Returns the largest divisor of a number that is not above another."""
    return next(d for d in range(min(number, at_most), 0, -1) if number % d == 0)

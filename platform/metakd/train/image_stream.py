"""Images in a given order, made in this process or ahead of time by processes of their own."""

import multiprocessing
from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from metakd.data.views import Look

Wanted = Sequence[tuple[Tensor, int]]
"""Rows (B,) and the number of their view, batch after batch."""


class ImageStream:
    """Streams batches of images.

    Args:
        look: What makes views, or reads kept ones.
        workers: How many processes make them ahead; 0 makes each when it is needed, which is
            right wherever no file has to be decoded. They stay between calls.
    """

    def __init__(self, look: Look, workers: int = 0) -> None:
        self._source = _Source(look)
        self._wanted: list[tuple[Tensor, int]] = []
        self._loader: DataLoader[Tensor] | None = None
        if workers > 0:
            self._loader = DataLoader(
                self._source,
                batch_size=None,
                sampler=self._wanted,
                num_workers=workers,
                persistent_workers=True,
                multiprocessing_context=_fork_server(),
            )

    def of(self, wanted: Wanted) -> Iterator[Tensor]:
        """Yields images (B, C, H, W) uint8, one batch for each entry."""
        if self._loader is None:
            return map(self._source.__getitem__, wanted)
        self._wanted[:] = wanted
        return iter(self._loader)


@cache
def _fork_server() -> ForkServerContext:
    """Returns what starts processes: Ray's actors have threads, which a plain fork breaks."""
    context = multiprocessing.get_context("forkserver")
    # Imported once, not by every process.
    context.set_forkserver_preload(["timm.data", __name__])
    return context


class _Source(Dataset[Tensor]):
    """Answers to rows and a number with images."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def __getitem__(self, wanted: tuple[Tensor, int]) -> Tensor:
        return self._look(*wanted)

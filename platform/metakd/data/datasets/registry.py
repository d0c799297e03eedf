"""Which datasets there are, by name."""

from collections.abc import Callable
from pathlib import Path

from metakd.data.datasets.cache import open_source
from metakd.data.datasets.cifar10 import cifar10_source
from metakd.data.datasets.digits import digits_source
from metakd.data.datasets.image_dataset import DatasetError, ImageDataset, Source
from metakd.data.datasets.parquet import parquet_source

SOURCES: dict[str, Callable[[str, Path | None], Source]] = {
    "digits": digits_source,
    "cifar10": cifar10_source,
    "parquet": parquet_source,
}
"""Each maps what follows the colon in ``name:argument``, and the data directory, to a source."""


def open_dataset(name: str, cache_dir: Path, data_dir: Path | None = None) -> ImageDataset:
    """Opens a dataset, decoding it first if this cache does not hold it yet.

    Args:
        name: "digits", "cifar10", or "parquet:PATH" with a file, a folder or a glob.
        cache_dir: Where decoded datasets are kept; safe to share between processes.
        data_dir: Where downloads go; only cifar10 needs it.

    Raises:
        DatasetError: If there is no such dataset, or it cannot be read.
    """
    kind, _, argument = name.partition(":")
    if kind not in SOURCES:
        raise DatasetError(
            f"unknown dataset {name!r}, expected digits, cifar10 or parquet:PATH "
            "(a file, a folder or a glob)"
        )
    return open_source(cache_dir, SOURCES[kind](argument, data_dir))

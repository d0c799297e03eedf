"""Which datasets there are, by name."""

from collections.abc import Callable
from pathlib import Path

from metakd.data.datasets.cache import open_source
from metakd.data.datasets.digits import digits_source
from metakd.data.datasets.image_dataset import DatasetError, ImageDataset
from metakd.data.datasets.image_folder import imagefolder_source
from metakd.data.datasets.parquet import parquet_source
from metakd.data.datasets.source import DatasetOptions, Source
from metakd.data.datasets.synthetic import synthetic_source
from metakd.data.datasets.torchvision_sets import (
    cifar10_source,
    cifar100_source,
    fashion_mnist_source,
)

SOURCES: dict[str, Callable[[str, DatasetOptions], Source]] = {
    "digits": digits_source,
    "cifar10": cifar10_source,
    "cifar100": cifar100_source,
    "fashion_mnist": fashion_mnist_source,
    "synthetic": synthetic_source,
    "parquet": parquet_source,
    "imagefolder": imagefolder_source,
}
"""Each maps what follows the colon in ``name:argument``, and the options, to a source."""

DEFAULTS = DatasetOptions()


def open_dataset(name: str, cache_dir: Path, options: DatasetOptions = DEFAULTS) -> ImageDataset:
    """Opens a dataset, storing it in the cache first if it is not there yet.

    Args:
        name: "digits", "cifar10", "cifar100", "fashion_mnist"; "synthetic", or with options
            "synthetic:samples=50000,classes=10,size=32,channels=3,seed=0"; "parquet:PATH" with a
            file, a folder or a glob; "imagefolder:PATH" or "imagefolder:PATH,size=224".
        cache_dir: Where datasets are kept; safe to share between processes.
        options: How to read it.

    Raises:
        DatasetError: If there is no such dataset, or it cannot be read.
    """
    kind, _, argument = name.partition(":")
    if kind not in SOURCES:
        raise DatasetError(
            f"unknown dataset {name!r}, expected one of {', '.join(SOURCES)}; parquet and "
            "imagefolder take a path, as in parquet:PATH"
        )
    return open_source(cache_dir, SOURCES[kind](argument, options))

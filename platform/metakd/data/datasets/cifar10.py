"""CIFAR-10 (Krizhevsky 2009): 60,000 colour images of 32×32 pixels, through torchvision."""

from functools import partial
from pathlib import Path

import numpy as np

from metakd.data.datasets.image_dataset import DatasetError, Decoded, Source


def cifar10_source(argument: str, data_dir: Path | None) -> Source:
    """Returns CIFAR-10 with its official test set, downloaded into ``data_dir`` if need be."""
    return Source(name="cifar10", key="cifar10 of torchvision", decode=partial(_decode, data_dir))


def _decode(data_dir: Path | None) -> Decoded:
    if data_dir is None:
        raise DatasetError("cifar10 needs a folder to download into: give a data directory")
    # torchvision costs seconds to import, and only this dataset needs it.
    from torchvision.datasets import CIFAR10

    try:
        parts = [CIFAR10(str(data_dir), train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        raise DatasetError(
            f"cifar10 is not in {data_dir} and could not be downloaded ({error}): put "
            "cifar-10-python.tar.gz there, or use parquet:PATH"
        ) from error
    train, test = parts
    images = np.concatenate([train.data, test.data]).transpose(0, 3, 1, 2)
    return Decoded(
        images=np.ascontiguousarray(images),
        labels=np.array([*train.targets, *test.targets], dtype=np.int64),
        class_names=tuple(train.classes),
        test_ids=np.arange(len(train.data), len(images)),
    )

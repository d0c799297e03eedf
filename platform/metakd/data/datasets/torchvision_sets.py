"""The sets that torchvision downloads and checks: CIFAR-10, CIFAR-100, Fashion-MNIST."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.named_options import read_numbers
from metakd.data.datasets.source import Decoded, DecodedSource


def cifar10_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns CIFAR-10 (Krizhevsky 2009): 60,000 colour images of 32×32 pixels, 10 classes."""
    return _source("cifar10", argument, options, "CIFAR10", "cifar-10-python.tar.gz")


def cifar100_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns CIFAR-100 (Krizhevsky 2009): as CIFAR-10, with its 100 fine classes."""
    return _source("cifar100", argument, options, "CIFAR100", "cifar-100-python.tar.gz")


def fashion_mnist_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns Fashion-MNIST (Xiao et al. 2017): 70,000 grey images of 28×28 pixels, 10 classes."""
    return _source(
        "fashion_mnist", argument, options, "FashionMNIST", "FashionMNIST/raw/*-ubyte.gz"
    )


def _source(
    name: str, argument: str, options: DatasetOptions, torchvision_name: str, files: str
) -> DecodedSource:
    read_numbers(name, argument, defaults={})
    decode = partial(_decode, name, options.data_dir, torchvision_name, files)
    return DecodedSource(name=name, key=f"{name} of torchvision", decode=decode)


def _decode(name: str, data_dir: Path | None, torchvision_name: str, files: str) -> Decoded:
    if data_dir is None:
        raise DatasetError(f"{name} needs a folder to download into: give a data directory")
    # torchvision costs seconds to import, and only these datasets need it.
    from torchvision import datasets

    open_part = getattr(datasets, torchvision_name)
    try:
        train, test = (
            open_part(str(data_dir), train=part, download=True) for part in (True, False)
        )
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{name} cannot be read from {data_dir} and could not be downloaded ({reason}): put "
            f"{files} there, or use parquet:PATH"
        ) from error
    chunks = [_channels_first(part.data) for part in (train, test)]
    sizes = [len(chunk) for chunk in chunks]
    return Decoded(
        image_shape=chunks[0].shape[1:],
        chunks=chunks,
        labels=np.concatenate([np.asarray(p.targets, dtype=np.int64) for p in (train, test)]),
        class_names=tuple(train.classes),
        test_ids=np.arange(sizes[0], sum(sizes)),
    )


def _channels_first(images: Any) -> NDArray[np.uint8]:  # noqa: ANN401 - tensor or array
    pixels = np.asarray(images)
    return pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)

"""scikit-learn's handwritten digits: 1,797 grey images of 8×8 pixels, part of the package."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetOptions
from metakd.data.datasets.named_options import read_numbers
from metakd.data.datasets.source import Decoded, DecodedSource

SIDE = 8
DATA_FILE = "datasets/data/digits.csv.gz"
GREY_STEP = 15
"""The set has 17 greys, 0 to 16; times 15 they become 0 to 240."""


def digits_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns the digits; there is no official test set."""
    read_numbers("digits", argument, defaults={})
    return DecodedSource(
        name="digits",
        key=f"digits of scikit-learn {version('scikit-learn')}",
        decode=_decode,
    )


def _decode() -> Decoded:
    greys, labels = _read()
    images = (greys * GREY_STEP).astype(np.uint8).reshape(-1, 1, SIDE, SIDE)
    return Decoded(
        image_shape=images.shape[1:],
        chunks=[images],
        labels=labels.astype(np.int64),
        class_names=tuple(str(digit) for digit in range(10)),
        test_ids=None,
    )


def _read() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns greys (N, 64) and labels (N,), by scikit-learn where its file lies elsewhere."""
    package = find_spec("sklearn")
    for folder in (package.submodule_search_locations if package else None) or ():
        file = Path(folder, DATA_FILE)
        if file.is_file():
            # What load_digits does; to import scikit-learn for it takes as long as PyTorch.
            rows = np.loadtxt(file, delimiter=",")
            return rows[:, :-1], rows[:, -1]
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data, bunch.target

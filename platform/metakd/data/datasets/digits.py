"""scikit-learn's handwritten digits: 1,797 grey images of 8×8 pixels, part of the package."""

from importlib.metadata import version
from pathlib import Path

import numpy as np

from metakd.data.datasets.image_dataset import Decoded, Source

GREY_STEP = 15
"""The set has 17 greys, 0 to 16; times 15 they become 0 to 240."""


def digits_source(argument: str, data_dir: Path | None) -> Source:
    """Returns the digits; there is no official test set."""
    return Source(
        name="digits",
        key=f"digits of scikit-learn {version('scikit-learn')}",
        decode=_decode,
    )


def _decode() -> Decoded:
    # scikit-learn costs seconds to import, and only the first opening needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Decoded(
        images=(bunch.images[:, None] * GREY_STEP).astype(np.uint8),
        labels=bunch.target.astype(np.int64),
        class_names=tuple(str(digit) for digit in bunch.target_names),
        test_ids=None,
    )

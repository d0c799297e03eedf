"""scikit-learn's handwritten digits: 1,797 grey images of 8×8 pixels, part of the package."""

from importlib.metadata import version

import numpy as np

from metakd.data.datasets.named_options import read_numbers
from metakd.data.datasets.source import DatasetOptions, Decoded, DecodedSource

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
    # scikit-learn costs seconds to import, and only the first opening needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images[:, None] * GREY_STEP).astype(np.uint8)
    return Decoded(
        image_shape=images.shape[1:],
        chunks=[images],
        labels=bunch.target.astype(np.int64),
        class_names=tuple(str(digit) for digit in bunch.target_names),
        test_ids=None,
    )

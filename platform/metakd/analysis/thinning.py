"""How many points of a curve are kept: no figure shows more."""

import numpy as np
from numpy.typing import NDArray

POINTS = 200


def thinned(positions: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns at most 200 of some positions, evenly spread, the first and the last among them."""
    if len(positions) <= POINTS:
        return positions
    kept = np.linspace(0, len(positions) - 1, POINTS).round().astype(np.intp)
    return np.take(positions, kept)

"""Which temperature of a grid validation chooses. Nothing here sees a test score."""

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.table import Matrix


def rank_by_validation(
    validation: NDArray[np.float64], temperatures: tuple[float, ...], fixed_tau: float
) -> NDArray[np.intp]:
    """Returns the indices of the temperatures, best first, ``[rank, ...]``.

    Equal accuracies, frequent on small validation sets, go to the temperature nearest the default
    (by ratio), then to the lower one.

    Args:
        validation: Accuracies, ``[tau, ...]``, complete.
        temperatures: The grid, ascending.
        fixed_tau: The default temperature.
    """
    # Rounded: 2 and 8 are equally far from 4, whatever the last bit of their logarithms.
    distance = np.round(np.abs(np.log(np.asarray(temperatures) / fixed_tau)), 9)
    nearest = np.argsort(distance, kind="stable")
    return nearest[np.argsort(-validation[nearest], axis=0, kind="stable")]


def best_on_average(
    validation: Matrix, temperatures: tuple[float, ...], fixed_tau: float
) -> list[int | None]:
    """Returns for each setting the index of the temperature with the best mean over seeds.

    Args:
        validation: ``[tau, setting, seed]``. Only seeds with all temperatures count; a setting
            without such a seed gives None.
        temperatures: The grid, ascending.
        fixed_tau: The default temperature.
    """
    chosen: list[int | None] = []
    for setting in np.moveaxis(validation, 1, 0):
        complete = setting[:, np.isfinite(setting).all(axis=0)]
        if complete.size:
            mean = np.round(complete.mean(axis=1), 9)
            chosen.append(int(rank_by_validation(mean, temperatures, fixed_tau)[0]))
        else:
            chosen.append(None)
    return chosen

"""Which temperature of a grid validation chooses, and what the best of k reaches on test."""

from math import comb

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.statistics.intervals import Matrix

UNKNOWN = -1
"""The place of a temperature that nothing chooses."""


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


def mean_of_others(validation: Matrix) -> Matrix:
    """Returns for each seed the mean over the other seeds, NaN where no other is complete.

    A seed whose own validation counted would choose what it was lucky with, and be read as better
    than a temperature from elsewhere where all are equal.

    Args:
        validation: ``[tau, setting, seed]``, NaN where a seed is incomplete.
    """
    there = np.isfinite(validation).all(axis=0)
    known = np.where(there, validation, 0.0)
    others = there.sum(axis=1, keepdims=True) - there
    means = (known.sum(axis=2, keepdims=True) - known) / np.maximum(others, 1)
    # Rounded: equal accuracies must not be ranked by the last bit of a sum.
    return np.where(others > 0, np.round(means, 9), np.nan)


def chosen_by_others(
    validation: Matrix, temperatures: tuple[float, ...], fixed_tau: float
) -> NDArray[np.intp]:
    """Returns for each seed the temperature that the other seeds' mean validation puts first.

    Args:
        validation: As ``mean_of_others`` takes it.
        temperatures: The grid, ascending.
        fixed_tau: The default temperature.

    Returns:
        Indices, ``[setting, seed]``; ``UNKNOWN`` where no other seed is complete.
    """
    means = mean_of_others(validation)
    best = rank_by_validation(means, temperatures, fixed_tau)[0]
    return np.where(np.isfinite(means).all(axis=0), best, UNKNOWN)


def picked(values: Matrix, chosen: NDArray[np.intp]) -> Matrix:
    """Returns the value at the chosen temperature, NaN where none is chosen.

    Args:
        values: ``[tau, setting, seed]``.
        chosen: Indices, ``[setting, seed]``.
    """
    if not len(values):
        return np.full(chosen.shape, np.nan)
    found = np.take_along_axis(values, np.maximum(chosen, 0)[None], axis=0)[0]
    return np.where(chosen == UNKNOWN, np.nan, found)


def expected_best_of_k(ranked_test: Matrix, k: int) -> Matrix:
    """Returns the mean test accuracy of validation's best of k, over all subsets of k.

    The temperature of validation rank r (0 is best) wins a subset when it is in it and no better
    one is: C(K − 1 − r, k − 1) of the C(K, k) subsets. For k = K that is the grid's winner.

    Args:
        ranked_test: Test accuracies in the order of validation, best first,
            ``[rank, setting, seed]``; NaN anywhere makes the result NaN there.
        k: How many temperatures, in [1, K].

    Returns:
        ``[setting, seed]``.
    """
    K = len(ranked_test)
    wins = [comb(K - 1 - rank, k - 1) / comb(K, k) for rank in range(K)]
    return np.tensordot(np.asarray(wins), ranked_test, axes=1)

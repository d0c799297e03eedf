"""Differences between the levels of a factor, seed by seed."""

import numpy as np

from metakd.analysis.rows import Matrix


def best_before_last(validation: Matrix) -> int | None:
    """Returns the level before the last with the best mean; the first of equals.

    Args:
        validation: ``[level, held, seed]``, two levels or more. Only cells that are complete at
            every level count.

    Returns:
        None where no cell is complete.
    """
    complete = np.isfinite(validation).all(axis=0)
    if not complete.any():
        return None
    # Rounded: equal sums in another order are equal.
    return int(np.round(validation[:-1, complete].mean(axis=1), 9).argmax())


def drop(scores: Matrix, level: int) -> Matrix:
    """Returns what a level has over the last, ``[held, seed]``.

    Args:
        scores: ``[level, held, seed]``.
        level: An index.
    """
    return np.asarray(scores[level] - scores[-1])


def slope(scores: Matrix) -> Matrix:
    """Returns the least-squares slope over the levels' ranks, by level, ``[held, seed]``.

    Args:
        scores: ``[level, held, seed]``; a cell that lacks a level has no slope.
    """
    ranks = np.arange(len(scores)) - (len(scores) - 1) / 2
    return np.asarray(np.tensordot(ranks, scores, axes=1) / (ranks**2).sum())

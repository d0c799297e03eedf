"""How much one figure shows, so that a report of 10,000 trials opens as fast as one of 300."""

from collections.abc import Sequence

MAX_MARKS = 8_000
MAX_POINTS = 200
MAX_PANELS = 24
MAX_ROWS = 40
MAX_DOTS = 50


def evenly(count: int, most: int) -> list[int]:
    """Returns at most ``most`` indices of 0, ..., count − 1, evenly spread, both ends included."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count - 1]
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]


def largest(sizes: Sequence[float], most: int) -> list[int]:
    """Returns the indices of the ``most`` largest sizes, in their own order; the first of equals.

    Args:
        sizes: One number for each candidate.
        most: How many to keep.
    """
    ranked = sorted(range(len(sizes)), key=lambda index: -sizes[index])
    return sorted(ranked[:most])


def points_each(curves: int) -> int:
    """Returns how many points each of some curves with a band may have: a band is two more."""
    return max(2, min(MAX_POINTS, MAX_MARKS // max(1, 3 * curves)))


def left_out(shown: int, count: int, what: str, rule: str) -> str:
    """Returns " Drawn and listed: 24 of 90 settings, evenly over the study.", or nothing.

    Args:
        shown: How many are drawn.
        count: How many there are.
        what: Their name, in the plural.
        rule: By which they were chosen.
    """
    return "" if shown == count else f" Drawn and listed: {shown} of {count} {what}, {rule}."

"""The rule that turns a drop and its mending into words."""

from metakd.analysis.claims import SIGNIFICANT
from metakd.analysis.intervals import Interval
from metakd.analysis.statistics.looks import ROUNDING_PP


def drop_verdict(drop: Interval, p_value: float | None) -> str:
    """Names a drop: "there", "the reverse", "not shown" or "no data".

    Args:
        drop: At the better level minus at the last.
        p_value: Of the drop against 0, corrected.
    """
    return _word(drop, p_value, ("there", "the reverse", "not shown", "no data"))


def mending_verdict(
    reference: str, mending: Interval, p_value: float | None, rest: Interval, margin_pp: float
) -> str:
    """Names what a strategy does about the reference's drop.

    Args:
        reference: The reference's own verdict: only a gap that is there can be mended.
        mending: The reference's drop minus this strategy's.
        p_value: Of the mending against 0, corrected.
        rest: This strategy's own drop.
        margin_pp: A rest of at most so many points does not matter.

    Returns:
        "mended" where the drop is reduced and its rest is shown to be within the margin, "reduced",
        "not shown to be reduced", "enlarged", "nothing to mend" or "no data".
    """
    if mending.mean_pp is None:
        return "no data"
    if reference != "there":
        return "nothing to mend"
    word = _word(mending, p_value, ("reduced", "enlarged", "not shown to be reduced", "no data"))
    within = rest.high_pp is not None and rest.high_pp <= margin_pp + ROUNDING_PP
    return "mended" if word == "reduced" and within else word


def gain_verdict(gain: Interval, p_value: float | None) -> str:
    """Names what distillation does against no teacher: "gain", "harm" or "open"."""
    return _word(gain, p_value, ("gain", "harm", "open", "open"))


def _word(effect: Interval, p_value: float | None, words: tuple[str, str, str, str]) -> str:
    above, below, unknown, nothing = words
    if effect.mean_pp is None:
        return nothing
    if p_value is None or p_value >= SIGNIFICANT:
        return unknown
    return above if effect.mean_pp > 0 else below

"""Numbers as the report writes them: signs that line up, a dash for what is not known."""

from metakd.analysis.intervals import LEVEL, Interval
from metakd.analysis.wording import percent as level_in_words
from metakd.analysis.wording import signed_pp

NONE = "–"


def signed(value: float | None, digits: int = 2) -> str:
    """Returns "+0.15", "−0.15", or a dash for None."""
    return NONE if value is None else signed_pp(value, digits)


def plain(value: float | None, digits: int = 2) -> str:
    """Returns "12.34", or a dash for None."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", "−")


def between(low: float | None, high: float | None) -> str:
    """Returns "[−0.09, +0.39]", or a dash where there is no interval."""
    return NONE if low is None or high is None else f"[{signed(low)}, {signed(high)}]"


def ends(interval: Interval) -> str:
    """Returns "[−0.09, +0.39]", with its level where that is another than 95 %, or a dash."""
    shown = between(interval.low_pp, interval.high_pp)
    return shown if shown == NONE or interval.level == LEVEL else f"{shown} at {level(interval)}"


def level(interval: Interval) -> str:
    """Returns "95 %" or "99.98 %": how often an interval covers."""
    return level_in_words(interval.level)


def from_to(low: float | None, high: float | None) -> str:
    """Returns "[88.12, 90.54]", for what is no difference; or a dash without an interval."""
    return NONE if low is None or high is None else f"[{plain(low)}, {plain(high)}]"


def runs(value: float) -> str:
    """Returns a number of runs without needless decimals: "3", "1.7"."""
    return f"{value:.1f}".removesuffix(".0")


def counted_runs(value: float) -> str:
    """Returns "1 run" or "1.7 runs"."""
    return f"{runs(value)} {'run' if runs(value) == '1' else 'runs'}"


def percent(share: float) -> str:
    """Returns a share as whole percent; "100 %" and "0 %" only where nothing is left out."""
    whole = round(100 * share)
    if share < 1:
        whole = min(whole, 99)
    if share > 0:
        whole = max(whole, 1)
    return f"{whole} %"


def tau(value: float | None) -> str:
    """Returns a temperature in three digits, or a dash for None."""
    return NONE if value is None else f"{value:.3g}"

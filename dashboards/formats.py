"""Numbers, times, verdicts and the two sides of a comparison as reports write them.

Signs line up, and a dash stands for what is not known.
"""

from dataclasses import dataclass
from datetime import datetime

from metakd.analysis.comparison import Comparison
from metakd.analysis.statistics.intervals import LEVEL, Interval
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start, runs_charged, signed_pp
from metakd.analysis.wording import percent as level_in_words
from metakd.strategies import label_of

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


def effect(interval: Interval) -> str:
    """Returns "+0.15 [−0.09, +0.39]", without bounds where there are none, or a dash."""
    bounds = between(interval.low_pp, interval.high_pp)
    return signed(interval.mean_pp) + ("" if bounds == NONE else f" {bounds}")


def level(interval: Interval) -> str:
    """Returns "95 %" or "99.98 %": how often an interval covers."""
    return level_in_words(interval.level)


def from_to(low: float | None, high: float | None) -> str:
    """Returns "[88.12, 90.54]", for what is no difference; or a dash without an interval."""
    return NONE if low is None or high is None else f"[{plain(low)}, {plain(high)}]"


def runs(cost: float | None) -> str:
    """Returns a cost in plain runs, "5.0", or a dash for None."""
    return NONE if cost is None else runs_charged(cost)


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


def duration(seconds: float | None) -> str:
    """Returns "0.4 s", "12 s", "3 min 20 s", "2 h 5 min", or a dash for None."""
    if seconds is None:
        return NONE
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def factor(value: float) -> str:
    """Returns "3.1×", "0.62×" or "120×"."""
    return f"{value:.2g}×" if value < 99.5 else f"{value:.0f}×"


def cost_words(comparison: Comparison) -> str:
    """Returns the cost verdict with its factor, for example "3.1× cheaper"."""
    match comparison.cost_verdict:
        case "cheaper" | "dearer" as verdict:
            return f"{factor(comparison.cost_factor)} {verdict}"
        case "same":
            return "same cost"
        case "mixed":
            return "mixed"
        case _:
            return "unknown"


def costs(comparison: Comparison) -> str:
    """Returns what the learner and the baseline cost: "1.4 runs against 5.0"; "" if unknown."""
    if comparison.learned_runs is None or comparison.baseline_runs is None:
        return ""
    return f"{runs(comparison.learned_runs)} runs against {runs(comparison.baseline_runs)}"


def day(iso_time: str) -> str:
    """Returns "19 November 2026" for an ISO 8601 time, and anything else as it is."""
    try:
        moment = datetime.fromisoformat(iso_time)
    except ValueError:
        return iso_time
    return f"{moment.day} {moment:%B %Y}"


def probability(value: float | None) -> str:
    """Returns "0.031", "< 0.001", or a dash for None."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@dataclass(frozen=True)
class Sides:
    """Names of the learner and of the baseline whose differences a report shows.

    Attributes:
        learned: The learner before a result: "learned", "MMKD", "learning teacher".
        learning: The learner inside a sentence: "learning", "MMKD", "the learning teacher".
        baseline: The baseline alone: "grid", "mean of losses".
        the_baseline: The baseline inside a sentence: "the grid", "the mean of losses".
        is_temperature: Whether the learner is a learned temperature.
    """

    learned: str = "learned"
    learning: str = "learning"
    baseline: str = "grid"
    the_baseline: str = "the grid"
    is_temperature: bool = True

    @property
    def starts(self) -> str:
        """The learner at the start of a sentence."""
        return at_start(self.learning)


def sides_of(summary: Summary) -> Sides:
    """Returns the names of a study's learner and of its main baseline."""
    if summary.learner == "meta":
        return Sides()
    learner, baseline = (
        label_of(name, summary.question) for name in (summary.learner, summary.baseline)
    )
    return Sides(
        learner.removeprefix("the "), learner, baseline.removeprefix("the "), baseline, False
    )


def claim_words(claim: str, sides: Sides) -> str:
    """Returns a setting's claim as its tile shows it."""
    words = {"ahead": f"{sides.learned} ahead", "behind": f"{sides.baseline} ahead"}
    return words.get(claim, claim)

"""Numbers as readers see them."""

import math
from collections.abc import Sequence


def signed_pp(value: float, digits: int = 2) -> str:
    """Returns a difference with its sign and its decimals: "+0.15", "−0.08", "0.00"."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def times(factor: float) -> str:
    """Returns a factor with two digits: "3.1 times", "0.62 times", "12 times", "120 times"."""
    return f"{factor:.2g} times" if factor < 99.5 else f"{factor:.0f} times"


def runs_charged(cost: float) -> str:
    """Returns a cost in plain runs: "5.0", "1.4"."""
    return f"{cost:.1f}"


def in_runs(cost: float) -> str:
    """Returns "5.0 runs", "1.4 runs"."""
    return f"{runs_charged(cost)} runs"


def p_words(p: float) -> str:
    """Returns "p = 0.012", or "p < 0.001"."""
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


def percent(share: float) -> str:
    """Returns "95 %", "98.3 %", "99.98 %"."""
    # Of a level near 100 % what is missing counts.
    nines = math.floor(-math.log10(1 - share)) if share < 1 else 0
    return f"{100 * share:.{max(3, 1 + nines)}g} %"


def scale_in_words(scale: float) -> str:
    """Returns "30 % of the data"."""
    return f"{100 * scale:.3g} % of the data"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns "1 temperature", "5 temperatures", or "5 strategies" where the plural is given."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def spanned(numbers: Sequence[int], noun: str) -> str:
    """Returns "4 seeds" where all numbers are alike, else "5 to 23 seeds"."""
    least, most = min(numbers), max(numbers)
    return f"{least} to {counted(most, noun)}" if least < most else counted(least, noun)


def listed(parts: list[str]) -> str:
    """Returns "a", "a and b" or "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def at_start(text: str) -> str:
    """Returns a text as it begins a sentence."""
    return text[:1].upper() + text[1:]

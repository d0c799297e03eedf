"""Numbers as the report writes them: signs that line up, a dash for what is not known."""

NONE = "–"


def signed(value: float | None, digits: int = 2) -> str:
    """Returns "+0.15", "−0.15", or a dash for None."""
    if value is None:
        return NONE
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def plain(value: float | None, digits: int = 2) -> str:
    """Returns "12.34", or a dash for None."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", "−")


def between(low: float | None, high: float | None) -> str:
    """Returns "[−0.09, +0.39]", or a dash where there is no interval."""
    return NONE if low is None or high is None else f"[{signed(low)}, {signed(high)}]"


def tau(value: float | None) -> str:
    """Returns a temperature in three digits, or a dash for None."""
    return NONE if value is None else f"{value:.3g}"

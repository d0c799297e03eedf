"""Times as the report writes them."""

from dashboards.numbers import NONE


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

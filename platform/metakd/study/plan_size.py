"""How large a study may be: what is larger is refused before it is laid out.

A plan costs about half a millisecond and some kilobytes a trial, and draws the samples of every
scale and seed: all that fits here is laid out in seconds, and in less than 2 GB.
"""

from metakd.errors import UserError

MOST_TRIALS = 20_000
MOST_SAMPLES = 30_000_000


class PlanSizeError(UserError):
    """A study of more trials, or of more samples, than a plan holds."""


def require_trials(trials: float, *, at_least: bool = False) -> None:
    """Refuses a study of too many trials.

    Args:
        trials: How many it has, those of later segments among them.
        at_least: Whether it may have more.

    Raises:
        PlanSizeError: If they are more than ``MOST_TRIALS``.
    """
    if trials > MOST_TRIALS:
        count = f"{trials:,.0f}" if trials < 1e15 else f"{float(min(trials, 1e300)):.0e}"
        raise PlanSizeError(
            f"this study has {count} trials{' or more' if at_least else ''}, and a plan holds at "
            f"most {MOST_TRIALS:,}: lower --seeds or --budget, or give fewer scales, "
            "augmentations, models, temperatures or strategies"
        )


def require_samples(samples: int) -> None:
    """Refuses a study that draws too many training samples, over all scales and seeds.

    Raises:
        PlanSizeError: If they are more than ``MOST_SAMPLES``.
    """
    if samples > MOST_SAMPLES:
        raise PlanSizeError(
            f"this study draws {samples:,} samples over its scales, augmentations and seeds, and "
            f"a plan holds at most {MOST_SAMPLES:,}: lower --seeds, or give fewer scales or "
            "augmentations"
        )

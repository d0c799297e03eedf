"""How far into a run the published recipes bring in what they do not start with."""

EPOCHS_OF_RECIPE = 240
"""The length of the CIFAR recipe that all of them share."""


def progress_of_rise(epoch: int, epochs: int, rise: float | None, published: float) -> float:
    """Returns how much of a rise lies behind, in [0, 1], while an epoch runs.

    Epochs count from 1 here, as in the published code: the first one is not without any effect.

    Args:
        epoch: The epoch that runs, 0, 1, ...
        epochs: How many the run has.
        rise: After how many epochs the rise is over; None scales ``published`` to the run.
        published: After how many of 240 epochs it is over in the published recipe.
    """
    if rise is None:
        rise = published * epochs / EPOCHS_OF_RECIPE
    return 1.0 if epoch + 1 >= rise else (epoch + 1) / rise

"""What a trial that failed is charged with."""

import numpy as np
from numpy.typing import NDArray


def charge_failed(
    cost: NDArray[np.float64], finished: NDArray[np.bool_], failed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Returns the costs with a whole run for each failed one that left no record of its cost.

    The charge is the median finished run of the same kind in its setting, or in the study where
    the setting has none. A failed run stopped somewhere on the way to that, so it is never charged
    too little, whichever strategy it belongs to. Without any finished run of its kind the charge
    stays unknown; there is then nothing to compare it with either.

    Args:
        cost: Of one kind of run, NaN where unknown, ``[..., setting, seed]``.
        finished: Where a run finished, of the same shape.
        failed: Where a run failed, of the same shape.
    """
    known = np.where(finished, cost, np.nan)
    charged = cost.copy()
    for setting in range(cost.shape[-2]):
        unknown = failed[..., setting, :] & ~np.isfinite(cost[..., setting, :])
        here = known[..., setting, :]
        source = here if np.isfinite(here).any() else known
        if unknown.any() and np.isfinite(source).any():
            charged[..., setting, :][unknown] = np.nanmedian(source)
    return charged

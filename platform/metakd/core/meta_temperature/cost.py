"""What a look-ahead costs, in forward and backward passes of one training batch."""

from metakd.core.look_ahead_cost import PASS_EQUIVALENTS as PASS_EQUIVALENTS
from metakd.core.look_aheads import LookAheads


def meta_step_equivalents(config: LookAheads, batch_size: int, meta_samples: int) -> float:
    """Returns the cost of one look-ahead; see ``LookAheads.step_equivalents``."""
    return config.step_equivalents(batch_size, meta_samples)

"""What all methods do alike that look back over the student's own steps."""

from collections import deque

from metakd.core.batches import Batch
from metakd.core.distillers.base import Distiller
from metakd.core.lookahead import TakenStep
from metakd.core.lookahead.look_aheads import LookAheads


class LookingAhead(Distiller):
    """Remembers the steps that its look-aheads reach back over, as their configuration times them.

    Args:
        look_aheads: When they come, and how much they pass again.
    """

    def __init__(self, look_aheads: LookAheads) -> None:
        self.meta_data = look_aheads.meta_data
        self._look_aheads = look_aheads
        self._remembered: deque[TakenStep] = deque(maxlen=look_aheads.horizon)

    def remembers(self, step: int) -> bool:
        """Says yes to the last ``horizon`` steps before each look-ahead."""
        return self._look_aheads.remembers(step)

    def holds_steps(self, step: int) -> bool:
        """Says yes where the next look-ahead reaches back behind the step."""
        horizon = self._look_aheads.horizon
        return self._look_aheads.look_ahead_after(step) - horizon + 1 < step

    def is_meta_step(self, step: int) -> bool:
        """Says yes to every ``interval``-th step."""
        return self._look_aheads.is_due(step)

    def meta_samples(self, batch: Batch) -> int:
        """Returns the share of the batch that a look-ahead passes again."""
        return self._look_aheads.samples_of(len(batch.labels))

"""Knowledge distillation at temperatures that change with the epoch, as PBT finds them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_share, require_temperature
from metakd.core.distillers.kd import KDConfig
from metakd.core.losses import Losses, distillation_loss

Segment = tuple[int, float]


@dataclass(frozen=True)
class KDScheduleConfig(DistillerConfig):
    """KD at one temperature of both sides, which changes at the start of given epochs."""

    method: ClassVar[str] = "kd_schedule"
    version: ClassVar[int] = 1

    segments: tuple[Segment, ...]
    """(from which epoch on, τ): the first from epoch 0, later ones from later epochs."""
    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""

    def __post_init__(self) -> None:
        starts = [start for start, _ in self.segments]
        if starts[:1] != [0] or not all(a < b for a, b in pairwise(starts)):
            raise ValueError(
                "segments must begin at epoch 0 and at ever later epochs, "
                f"got segments={self.segments}"
            )
        for index, (_, tau) in enumerate(self.segments):
            require_temperature(f"segments[{index}][1]", tau)
        require_share("alpha", self.alpha)

    def tau_at(self, epoch: int) -> float:
        """Returns the temperature of epoch 0, 1, ..."""
        return next(tau for start, tau in reversed(self.segments) if start <= epoch)

    def prefix(self, epochs: int) -> "KDScheduleConfig":
        """Returns what says the same of the first so many epochs, at least 1, and no more."""
        if epochs < 1:
            raise ValueError(f"a prefix has at least 1 epoch, got epochs={epochs}")
        kept = tuple(segment for segment in self.segments if segment[0] < epochs)
        return KDScheduleConfig(kept, self.alpha)

    def prefixes(self) -> Iterator[tuple[DistillerConfig, int]]:
        """Yields the schedule up to each of its changes, the last one first."""
        start = self.segments[-1][0]
        if start:
            shorter = scheduled(self.prefix(start).segments, self.alpha)
            yield shorter, start
            yield from shorter.prefixes()

    def build(self) -> "KDSchedule":
        """Returns the distiller."""
        return KDSchedule(lambda epoch, epochs: self.tau_at(epoch), self.alpha)


class KDSchedule(Distiller):
    """L = (1−α) CE + α τ² KL, at the temperature of the epoch.

    Args:
        tau_at: Returns the temperature of epoch 0, 1, ... of a run of so many.
        alpha: Weight of the teacher's term.
    """

    def __init__(self, tau_at: Callable[[int, int], float], alpha: float) -> None:
        self._tau_at = tau_at
        self._alpha = alpha
        self._tau = tau_at(0, 1)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Takes the epoch's temperature."""
        self._tau = self._tau_at(epoch, epochs)

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the distillation loss of the batch."""
        assert batch.teacher_logits is not None
        return distillation_loss(
            logits, batch.teacher_logits, batch.labels, self._tau, self._tau, self._alpha
        )

    def temperatures(self) -> tuple[float, float]:
        """Returns the temperature of the epoch twice."""
        return self._tau, self._tau


def scheduled(segments: Sequence[Segment], alpha: float) -> KDConfig | KDScheduleConfig:
    """Returns a schedule in the one form that all equal schedules share, and so their trials.

    Segments that go on at the temperature before them are dropped; one that is left is plain KD.

    Args:
        segments: As ``KDScheduleConfig`` has them.
        alpha: Weight of the teacher's term.
    """
    whole = KDScheduleConfig(tuple(segments), alpha)
    taus = [None, *(tau for _, tau in whole.segments)]
    kept = tuple(
        (start, float(tau))
        for (start, tau), before in zip(whole.segments, taus, strict=False)
        if tau != before
    )
    if len(kept) > 1:
        return KDScheduleConfig(kept, alpha)
    return KDConfig(tau_s=kept[0][1], tau_t=kept[0][1], alpha=alpha)

"""Mean weights of teachers over an epoch, counted on the device."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from metakd.core.ranks import sum_over_ranks

OUTCOMES = ("right", "wrong")


@dataclass(frozen=True)
class TeacherWeights:
    """How much each of K teachers counted, on average over some samples of an epoch.

    Attributes:
        of: What of them is weighted: "logits" or "features".
        among: Over which samples: "all", "right", "wrong" (what the student said before the step),
            or "class 0", "class 1", ... by label.
        samples: How many.
        weights: The mean weight of each teacher, in the order of the batch; they sum to 1.
    """

    of: str
    among: str
    samples: int
    weights: tuple[float, ...]


class WeightsTally:
    """Sums of weights, among samples that the student gets right, gets wrong, and by class."""

    def __init__(self) -> None:
        self._tables: dict[str, Tensor] = {}

    def clear(self) -> None:
        """Forgets all."""
        self._tables.clear()

    @torch.no_grad()
    def add(self, of: str, weights: Tensor, logits: Tensor, classes: Tensor) -> None:
        """Counts a batch.

        Args:
            of: What is weighed: "logits" or "features".
            weights: (B, K).
            logits: The student's, before its step, (B, C).
            classes: The right ones, (B,).
        """
        groups, columns = len(OUTCOMES) + logits.shape[1], weights.shape[1] + 1
        if of not in self._tables:
            self._tables[of] = weights.new_zeros(groups, columns, dtype=torch.float64)
        rows = torch.cat([weights, torch.ones_like(weights[:, :1])], dim=1).double()
        is_wrong = (logits.argmax(dim=1) != classes).long()
        self._tables[of].index_add_(0, is_wrong, rows)
        self._tables[of].index_add_(0, len(OUTCOMES) + classes, rows)

    def means(self, group: dist.ProcessGroup | None) -> tuple[TeacherWeights, ...]:
        """Returns the mean weights, of all ranks' samples; groups without a sample are left out.

        Args:
            group: The ranks of a DDP student, each of which counted its share.
        """
        found: list[TeacherWeights] = []
        for of, table in self._tables.items():
            sums = table if group is None else sum_over_ranks(table, group)
            outcomes = sums[: len(OUTCOMES)]
            rows = [outcomes.sum(dim=0).tolist(), *sums.tolist()]
            classes = [f"class {index}" for index in range(len(sums) - len(OUTCOMES))]
            for among, (*weights, samples) in zip(("all", *OUTCOMES, *classes), rows, strict=True):
                if samples:
                    means = tuple(weight / samples for weight in weights)
                    found.append(TeacherWeights(of, among, int(samples), means))
        return tuple(found)

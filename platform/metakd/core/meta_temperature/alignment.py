r"""The alignment rule: score every temperature of a range at each look-ahead; no start, no rate.

It is not MKD: no gradient by τ is read. The hypergradient is the slope, at the present τ, of
⟨J u, g(τ)⟩, with g(τ) the gradient that the teacher's term has at the logits and u the direction in
which the student's step moves the meta loss. J u is what costs; g(τ) is a difference of two
softmaxes. So the whole curve over τ costs no more than its slope at one point.

The score is the cosine between −J u and g(τ): how well the teacher's term, at these temperatures,
points to where the meta loss falls. Its size plays no part, which the loss's ``scale="free"``
matches.

Scores of single batches are noisy. The rule keeps their running mean and variance and gives each
temperature pair a weight ∝ exp(confidence · √n · mean / deviation), over a range that is uniform in
log τ; the learned temperatures are the weighted mean of log τ. Before the second look-ahead that is
the middle of the range, and each further one concentrates the weights.
"""

import math
from collections.abc import Sequence

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.losses import at_least_float32
from metakd.core.meta_temperature.rule import MetaRule, SeenStep
from metakd.core.ranks import mean_over_ranks

POINTS = 9


class AlignmentRule(MetaRule):
    """Weights temperatures by how well the teacher's gradient aligns with the look-ahead's.

    Args:
        low: The lowest temperature that is scored.
        high: The highest temperature that is scored.
        confidence: How fast the weights concentrate; below 1 because scores of consecutive steps
            repeat each other.
        shared: Whether both sides have the same temperature.

    Attributes:
        middle: The middle of the range in log τ: the temperature before the second look-ahead.
    """

    log_taus: Tensor
    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, low: float, high: float, confidence: float, shared: bool) -> None:
        super().__init__()
        self.middle = math.sqrt(low * high)
        self._confidence = confidence
        self._shared = shared
        log_taus = torch.linspace(math.log(low), math.log(high), POINTS)
        self.register_buffer("log_taus", log_taus, persistent=False)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(POINTS, POINTS))
        self.register_buffer("variance", torch.zeros(()))

    @torch.no_grad()
    def move(
        self,
        phi: Sequence[nn.Parameter],
        gradients: Sequence[Tensor],
        seen: Sequence[SeenStep],
        group: dist.ProcessGroup | None,
    ) -> None:
        """Adds the scores to their running means, and sets log τ to its weighted mean."""
        self._add(self._scores(seen, group))
        weights = self.weights()
        log_tau = torch.stack(
            [(weights.sum(dim=1) * self.log_taus).sum(), (weights.sum(dim=0) * self.log_taus).sum()]
        )
        (parameter,) = phi
        parameter.copy_(log_tau[0] if self._shared else log_tau)

    def weights(self) -> Tensor:
        """Returns the weight of each (τ_s, τ_t) of the range, (9, 9), summing to 1."""
        certainty = self._confidence * self.count.sqrt() / self.variance.sqrt().clamp_min(1e-12)
        # One look-ahead alone has no variance yet.
        logits = torch.where(self.count > 1, certainty * self.mean, 0.0)
        if self._shared:
            return torch.diag(F.softmax(logits.diagonal(), dim=0))
        return F.softmax(logits.flatten(), dim=0).view_as(logits)

    def _add(self, scores: Tensor) -> None:
        compared = scores.diagonal() if self._shared else scores
        scores = scores - compared.mean()
        self.count += 1
        change = scores - self.mean
        self.mean += change / self.count
        spread = (
            (change * (scores - self.mean)).diagonal()
            if self._shared
            else change * (scores - self.mean)
        )
        self.variance += (spread.mean() - self.variance) / self.count

    def _scores(self, seen: Sequence[SeenStep], group: dist.ProcessGroup | None) -> Tensor:
        """Returns the cosine between −J u and g(τ_s, τ_t) over the steps, (9, 9)."""
        sums: dict[str, Tensor] = {}
        for linearised, teacher_logits, weights in seen:
            descent = -linearised.tangent.flatten()
            q, p = self._softened(linearised.logits), self._softened(teacher_logits)
            if weights is not None:
                p = (p * weights[:, :, None].to(p.dtype)).sum(dim=2)
            q, p = q.flatten(1), p.flatten(1)
            # Subtracted before they are squared: where both sides agree, the squares' difference
            # would be all rounding.
            gaps = [at_tau_s - p for at_tau_s in q]
            parts = {
                "inner": torch.stack([gap @ descent for gap in gaps]),
                "squares": torch.stack([gap.square().sum(dim=1) for gap in gaps]),
                "descent": descent.square().sum(),
            }
            sums = {name: sums[name] + part if sums else part for name, part in parts.items()}
        sums = mean_over_ranks(sums, group)
        gap_norms, descent_norm = sums["squares"].sqrt(), sums["descent"].sqrt()
        # A gap below the rounding of a probability points nowhere.
        precision = torch.finfo(gap_norms.dtype).eps
        cosines = torch.where(
            gap_norms > precision, sums["inner"] / (gap_norms * descent_norm), 0.0
        )
        return cosines.nan_to_num(nan=0.0).to(self.mean.dtype)

    def _softened(self, logits: Tensor) -> Tensor:
        """Returns softmax(z/τ) for each τ of the range, (9, B, C) or (9, B, K, C)."""
        logits = at_least_float32(logits)
        taus = self.log_taus.exp().view(-1, *[1] * logits.dim()).to(logits.dtype)
        return F.softmax(logits / taus, dim=-1)

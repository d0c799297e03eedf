r"""The rule without a start: judge every temperature of a range at once, at each look-ahead.

The hypergradient is the slope, at the present τ, of ⟨J u, g(τ)⟩, with g(τ) the gradient that the
teacher's term has at the logits and u the direction in which the student's step moves the meta
loss. J u is what costs; g(τ) is a difference of two softmaxes. So the whole curve over τ costs no
more than its slope at one point, and no temperature has to travel.

What is scored is the cosine between −J u and g(τ): how well the push of the teacher's term, at
these temperatures, agrees with the change of the student's function that lowers the meta loss. Its
size plays no part, which the loss's ``scale="free"`` matches.

Scores of single batches are noisy. The rule keeps their running mean and variance and believes in
each temperature pair with weight ∝ exp(confidence · √n · mean / deviation) over a range that is
uniform in log τ; the learned temperatures are the mean of log τ under that belief. Before any
evidence that is the middle of the range, and each look-ahead narrows it.
"""

import math
from collections.abc import Sequence

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.hypergradient.linearised import at_least_float32
from metakd.core.meta_temperature.rule import MetaRule, SeenStep
from metakd.core.ranks import mean_over_ranks

POINTS = 9


class AlignmentSearch(MetaRule):
    """Believes in the temperatures whose teacher gradient agrees with the look-ahead.

    Args:
        low: The lowest temperature judged.
        high: The highest temperature judged.
        confidence: How fast the belief narrows; below 1 because scores of consecutive steps repeat
            each other.
        shared: Whether both sides have the same temperature.
    """

    log_taus: Tensor
    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, low: float, high: float, confidence: float, shared: bool) -> None:
        super().__init__()
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
        """Adds the look-ahead's scores to the evidence, and sets log τ to its mean."""
        self._learn(self._scores(seen, group))
        belief = self.belief()
        log_tau = torch.stack(
            [(belief.sum(dim=1) * self.log_taus).sum(), (belief.sum(dim=0) * self.log_taus).sum()]
        )
        (parameter,) = phi
        parameter.copy_(log_tau[0] if self._shared else log_tau)

    def belief(self) -> Tensor:
        """Returns the weight of each (τ_s, τ_t) of the range, (9, 9), summing to 1."""
        certainty = self._confidence * self.count.sqrt() / self.variance.sqrt().clamp_min(1e-12)
        # One look-ahead alone says nothing of its own noise.
        logits = torch.where(self.count > 1, certainty * self.mean, 0.0)
        if self._shared:
            return torch.diag(F.softmax(logits.diagonal(), dim=0))
        return F.softmax(logits.flatten(), dim=0).view_as(logits)

    def _learn(self, scores: Tensor) -> None:
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
            wanted = -linearised.tangent.flatten()
            q, p = self._softened(linearised.logits), self._softened(teacher_logits)
            if weights is not None:
                p = (p * weights[:, :, None].to(p.dtype)).sum(dim=2)
            q, p = q.flatten(1), p.flatten(1)
            # Subtracted before they are squared: where both sides agree, the squares' difference
            # would be all rounding.
            gaps = [at_tau_s - p for at_tau_s in q]
            parts = {
                "inner": torch.stack([gap @ wanted for gap in gaps]),
                "squares": torch.stack([gap.square().sum(dim=1) for gap in gaps]),
                "wanted": wanted.square().sum(),
            }
            sums = {name: sums[name] + part if sums else part for name, part in parts.items()}
        sums = mean_over_ranks(sums, group)
        gap_norms, wanted_norm = sums["squares"].sqrt(), sums["wanted"].sqrt()
        # A gap below the rounding of a probability points nowhere.
        precision = torch.finfo(gap_norms.dtype).eps
        cosines = torch.where(gap_norms > precision, sums["inner"] / (gap_norms * wanted_norm), 0.0)
        return cosines.nan_to_num(nan=0.0).to(self.mean.dtype)

    def _softened(self, logits: Tensor) -> Tensor:
        """Returns softmax(z/τ) for each τ of the range, (9, B, C) or (9, B, K, C)."""
        logits = at_least_float32(logits)
        taus = self.log_taus.exp().view(-1, *[1] * logits.dim()).to(logits.dtype)
        return F.softmax(logits / taus, dim=-1)

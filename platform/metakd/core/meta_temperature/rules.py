"""The rules by which learned temperatures move: MKD's gradient, and alignment.

``GradientRule`` is that of MKD's abstract: it descends the hypergradient, by Adam.

``AlignmentRule`` is not MKD: it reads no gradient by τ, and has no start and no rate. It scores
every temperature of a range at each look-ahead. The hypergradient is the slope, at the present τ,
of ⟨J u, g(τ)⟩, with g(τ) the gradient that the teacher's term has at the logits and u the direction
in which the student's step moves the meta loss. J u is what costs; g(τ) is a difference of two
softmaxes. So the whole curve over τ costs no more than its slope at one point. The score is the
cosine between −J u and g(τ): how well the teacher's term, at these temperatures, points to where
the meta loss falls. ``AlignedTemperatures`` are a pair that it moves, for methods that learn more
beside them.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.lookahead import Linearised
from metakd.core.losses import at_least_float32
from metakd.core.optimisers import EagerAdam
from metakd.core.ranks import mean_over_ranks
from metakd.core.temperatures.scalar import SeparateTemperatures

POINTS = 9


class SeenStep(NamedTuple):
    """A step as a rule sees it.

    Attributes:
        linearised: The student's pass along the look-ahead's direction.
        teacher_logits: z_t of the samples in that pass, (B, C), or those of K teachers, (B, K, C).
        weights: How much each of K teachers counts for each sample, (B, K), rows summing to 1; None
            where there is one.
    """

    linearised: Linearised
    teacher_logits: Tensor
    weights: Tensor | None = None


class MetaRule(nn.Module, ABC):
    """Moves φ after a look-ahead. Its state dict, with φ, is all that a resumed run needs."""

    @abstractmethod
    def move(
        self,
        phi: Sequence[nn.Parameter],
        gradients: Sequence[Tensor],
        seen: Sequence[SeenStep],
        group: dist.ProcessGroup | None,
    ) -> None:
        """Moves φ in place.

        Args:
            phi: The meta-parameters.
            gradients: dM/dφ, finite, the same on all ranks.
            seen: The steps of the look-ahead, on this rank's share of their batches.
            group: The ranks of a DDP student.
        """


class GradientRule(MetaRule):
    """Adam on φ. The start matters to it: it travels ``lr`` in log τ a meta step, no more.

    Args:
        phi: The meta-parameters that it will move.
        lr: Adam's rate: about the relative change of a temperature in one meta step.
        betas: How Adam's first and second moments decay.
        weight_decay: L2 penalty on φ, inside Adam.
    """

    def __init__(
        self,
        phi: Sequence[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self._optimiser = EagerAdam(phi, lr=lr, betas=betas, weight_decay=weight_decay)

    def move(
        self,
        phi: Sequence[nn.Parameter],
        gradients: Sequence[Tensor],
        seen: Sequence[SeenStep],
        group: dist.ProcessGroup | None,
    ) -> None:
        """Takes one step of Adam."""
        for parameter, gradient in zip(phi, gradients, strict=True):
            parameter.grad = gradient
        self._optimiser.step()
        self._optimiser.zero_grad()

    def get_extra_state(self) -> dict[str, Any]:
        """Returns Adam's state, for the state dict."""
        return self._optimiser.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes Adam's state from a state dict."""
        self._optimiser.load_state_dict(state)


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


class AlignedTemperatures(nn.Module):
    """τ_s and τ_t, from the middle of a range on. Its state dict is all that a resumed run needs.

    Args:
        tau_range: The lowest and the highest temperature that are scored.
        confidence: How fast the weights concentrate.
    """

    def __init__(self, tau_range: tuple[float, float], confidence: float) -> None:
        super().__init__()
        self._rule = AlignmentRule(*tau_range, confidence, shared=False)
        self._temperatures = SeparateTemperatures(self._rule.middle, self._rule.middle)
        self.requires_grad_(False)

    @property
    def log_tau(self) -> nn.Parameter:
        """(log τ_s, log τ_t), which takes a gradient in look-aheads alone."""
        return self._temperatures.log_tau

    def taus(self, shift: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns τ_s and τ_t, scalars with their graph to φ.

        Args:
            shift: Added to both logarithms, (2,): its gradient is that of a relative change.
        """
        taus = self.log_tau.exp()
        tau_s, tau_t = (taus if shift is None else taus * shift.exp()).unbind()
        return tau_s, tau_t

    def summary(self) -> tuple[float, float]:
        """Returns the current (τ_s, τ_t)."""
        return self._temperatures.summary()

    def move(
        self, of_log_tau: Tensor, seen: Sequence[SeenStep], group: dist.ProcessGroup | None
    ) -> None:
        """Moves them after a look-ahead.

        Args:
            of_log_tau: dM/d(log τ_s, log τ_t), finite, (2,).
            seen: The steps of the look-ahead.
            group: The ranks of a DDP student.
        """
        self._rule.move([self.log_tau], [of_log_tau], seen, group)
        self._temperatures.clamp_()

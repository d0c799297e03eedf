"""Curriculum temperature (Li et al. 2023, arXiv 2211.16231): τ is learned against the student."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_at_least_0, require_share, require_temperature
from metakd.core.distillers.rise import progress_of_rise
from metakd.core.losses import Losses, at_least_float32, decoupled_loss, distillation_loss
from metakd.core.ranks import mean_over_ranks, ranks_of

TaughtBy = Literal["kd", "dkd"]

PUBLISHED_CURRICULUM = 10.0


@dataclass(frozen=True)
class CTKDConfig(DistillerConfig):
    """One temperature for both sides, learned by making the student's task harder.

    τ = low + (high − low) σ(r) starts at 15.6, as published. The published recipes are 240 epochs
    with a curriculum of 10, and 120 with one of 5. ``reference()`` differs from the defaults in
    three points:

    - r is free: one large step saturates the sigmoid, whose gradient is 0 from there on, and τ
      stays at its bound. By default r stays in [−4, 4], where the sigmoid's slope is at least 0.018
      (0.25 at most), and loses its momentum where it is held;
    - the student's weight decay, 5e-4, acts on r too, and pulls it to 0, which is τ = 11;
    - the curriculum takes 10 epochs, whatever the length of the run. By default it keeps the
      published share, 1 of 24.

    Two faults of the code are mended in both presets, because a trial's result may depend neither
    on how many ranks share it nor on how the student's passes are rounded: the gradient of r is
    averaged over ranks, which drift apart otherwise; and r and the loss are float32 in mixed
    precision, where τ stood still otherwise. With ``taught_by="dkd"`` the loss is the stable one of
    ``DKDConfig`` (it was NaN), without a warm-up, as in the code; labels that are probabilities
    mean there what they mean to ``DKDConfig``.
    """

    method: ClassVar[str] = "ctkd"
    version: ClassVar[int] = 1

    taught_by: TaughtBy = "kd"
    """The loss that the temperature enters: kd or dkd."""
    alpha: float = 0.9
    """For kd: weight of the teacher's term, in [0, 1]; the labels have the rest."""
    ce_weight: float = 1.0
    """For dkd: weight of the labels' term, at least 0."""
    target_weight: float = 1.0
    """For dkd: weight of the target class's divergence, at least 0."""
    others_weight: float = 2.0
    """For dkd: weight of the divergence among the other classes, at least 0; the default is the
    code's, for this pair of methods."""
    bounds: tuple[float, float] = (1.0, 21.0)
    """The temperatures that the sigmoid runs between, above 0 and rising."""
    start: float = 1.0
    """r before the first step; 1 is τ = 15.6 with the published bounds."""
    largest_r: float | None = 4.0
    """How far r may be from 0, above 0; None: r is free."""
    curriculum_epochs: float | None = None
    """Over how many epochs r's gradient comes in, along half a cosine, at least 0; None: 1/24 of
    all."""
    momentum: float = 0.9
    """Heavy-ball momentum of r, in [0, 1]; its learning rate is the student's."""
    weight_decay: float = 0.0
    """L2 penalty on r, at least 0."""

    def __post_init__(self) -> None:
        if self.taught_by not in get_args(TaughtBy):
            raise ValueError(f"taught_by must be kd or dkd, got taught_by={self.taught_by!r}")
        require_share("alpha", self.alpha)
        require_share("momentum", self.momentum)
        for name in ("ce_weight", "target_weight", "others_weight", "weight_decay"):
            require_at_least_0(name, getattr(self, name))
        if self.curriculum_epochs is not None:
            require_at_least_0("curriculum_epochs", self.curriculum_epochs)
        low, high = self.bounds
        require_temperature("bounds[0]", low)
        require_temperature("bounds[1]", high)
        if not low < high:
            raise ValueError(f"bounds must rise, got bounds={self.bounds}")
        if self.largest_r is not None and not 0 < self.largest_r < math.inf:
            raise ValueError(f"largest_r must be above 0, got largest_r={self.largest_r}")
        if not (math.isfinite(self.start) and abs(self.start) <= (self.largest_r or math.inf)):
            raise ValueError(
                f"start must be within largest_r of 0, got start={self.start}, "
                f"largest_r={self.largest_r}"
            )

    @property
    def unused_fields(self) -> Collection[str]:
        """The weights of the loss that is not taken."""
        return (
            {"alpha"}
            if self.taught_by == "dkd"
            else {"ce_weight", "target_weight", "others_weight"}
        )

    @property
    def min_classes(self) -> int:
        """Two, or the three of DKD."""
        return 3 if self.taught_by == "dkd" else 2

    @classmethod
    def reference(cls) -> Self:
        """Returns what zhengli97/CTKD does with its global temperature."""
        return cls(largest_r=None, weight_decay=5e-4, curriculum_epochs=PUBLISHED_CURRICULUM)

    def build(self) -> "CTKD":
        """Returns the distiller."""
        return CTKD(self)


class CTKD(Distiller):
    """L = (1−α) CE + α τ² KL, or DKD's; the student descends it, and r ascends it.

    The derivative by r flows through the factor τ² too (the author, in issue 3 of the code).
    """

    def __init__(self, config: CTKDConfig) -> None:
        self._config = config
        self._group: dist.ProcessGroup | None = None
        self._r = torch.tensor(config.start, dtype=torch.float32, requires_grad=True)
        self._velocity = torch.zeros((), dtype=torch.float32)
        self._reversal = 1.0

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:
        """Learns r on the student's device, with its ranks."""
        self._group = ranks_of(student)
        device = next(student.parameters()).device
        self._r = self._r.detach().to(device).requires_grad_()
        self._velocity = self._velocity.to(device)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Sets how much of its gradient r gets in the epoch."""
        progress = progress_of_rise(
            epoch, epochs, self._config.curriculum_epochs, PUBLISHED_CURRICULUM
        )
        self._reversal = 0.5 * (1 - math.cos(math.pi * progress))

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch at the temperature as it stands, with the graph to r."""
        assert batch.teacher_logits is not None
        # The derivative by τ is a sum of products with logits, which half cannot hold.
        z_s, z_t = at_least_float32(logits), at_least_float32(batch.teacher_logits)
        c, tau = self._config, self._tau()
        if c.taught_by == "kd":
            return distillation_loss(z_s, z_t, batch.labels, tau, tau, c.alpha)
        ce = F.cross_entropy(z_s, batch.labels)
        kd = decoupled_loss(z_s, z_t, batch.labels, tau, c.target_weight, c.others_weight)
        return Losses(c.ce_weight * ce + kd, ce, kd)

    @torch.no_grad()
    def after_step(self, lr: float) -> None:
        """Moves r up the loss, by SGD at the student's learning rate."""
        assert self._r.grad is not None
        slope = mean_over_ranks({"r": self._r.grad}, self._group)["r"]
        c, r, velocity = self._config, self._r, self._velocity
        velocity.mul_(c.momentum).add_(c.weight_decay * r - self._reversal * slope)
        r.sub_(lr * velocity)
        r.grad = None
        if c.largest_r is not None:
            velocity.mul_(r.abs() < c.largest_r)
            r.clamp_(-c.largest_r, c.largest_r)

    def temperatures(self) -> tuple[float, float]:
        """Returns the current temperature of both sides."""
        tau = self._tau().item()
        return tau, tau

    def state_dict(self) -> dict[str, Any]:
        """Returns r and its velocity."""
        return {"r": self._r.detach().clone(), "velocity": self._velocity.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes r and its velocity."""
        with torch.no_grad():
            self._r.copy_(state["r"])
            self._velocity.copy_(state["velocity"])

    def _tau(self) -> Tensor:
        low, high = self._config.bounds
        return low + (high - low) * self._r.sigmoid()

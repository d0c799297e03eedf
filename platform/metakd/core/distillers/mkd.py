"""Distillation at learned temperatures, MKD-style, after the abstract of arXiv 2202.07940.

The abstract says that the temperatures of both teacher and student become meta-parameters, tuned
during training by the gradient of the learning objective. What it leaves open is chosen here:

- φ = (log τ_s, log τ_t), two scalars for the whole run, clamped to τ in [0.25, 64];
- the objective is the plain cross-entropy of held-out samples after the student's own next step;
- the factor τ_s τ_t of the divergence is differentiated with the temperatures;
- Adam moves φ; no pilot step is thrown away: φ moves for the step that follows.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.base import Distiller, MetaStep
from metakd.core.hypergradient import Estimator, LookAhead
from metakd.core.losses import Losses, Temperature, distillation_loss
from metakd.core.temperature import LearnedTemperatures

# In units of a forward and a backward pass, a forward-mode pass costs about two forwards.
JVP_STEP_EQUIVALENTS = 2 / 3


@dataclass(frozen=True)
class MKDConfig:
    """Learned temperatures: where they start and how they move."""

    method: ClassVar[str] = "mkd"
    asks_teacher: ClassVar[bool] = True

    tau_s: float = 4.0
    """Where the student's temperature starts, in [0.25, 64]."""
    tau_t: float = 4.0
    """Where the teacher's temperature starts, in [0.25, 64]."""
    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""
    meta_lr: float = 0.02
    """Adam's rate on log τ: about the relative change of a temperature in one meta step."""
    interval: int = 1
    """A meta step follows every so many steps of the student."""
    estimator: Estimator = "jvp"
    """How dM/dφ is computed; both are exact, ``jvp`` is the cheap one."""

    def __post_init__(self) -> None:
        LearnedTemperatures(self.tau_s, self.tau_t)
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got alpha={self.alpha}")
        if not self.meta_lr > 0:
            raise ValueError(f"meta_lr must be above 0, got meta_lr={self.meta_lr}")
        if self.interval < 1:
            raise ValueError(f"interval must be at least 1, got interval={self.interval}")

    def build(self) -> "MKD":
        """Returns the distiller."""
        return MKD(self)


class MKD(Distiller):
    """L = (1−α) CE + α τ_s τ_t KL, with τ_s and τ_t moved by the look-ahead hypergradient."""

    def __init__(self, config: MKDConfig) -> None:
        self._config = config
        self._temperatures = LearnedTemperatures(config.tau_s, config.tau_t)
        self._optimiser = torch.optim.Adam(
            self._temperatures.parameters(), lr=config.meta_lr, betas=(0.9, 0.99)
        )

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the distillation loss of the batch at the temperatures as they stand."""
        return self._loss(logits, batch, *self.temperatures())

    def temperatures(self) -> tuple[float, float]:
        """Returns the current (τ_s, τ_t)."""
        tau_s, tau_t = self._temperatures.log_tau.detach().exp().tolist()
        return tau_s, tau_t

    def is_meta_step(self, step: int) -> bool:
        """Says yes to every ``interval``-th step."""
        return step % self._config.interval == 0

    def meta_step(
        self, look_ahead: LookAhead, batch: Batch, logits: Tensor, meta_batch: Batch
    ) -> MetaStep:
        """Moves both temperatures down the held-out cross-entropy after the student's step."""
        phi = self._temperatures.log_tau
        found = look_ahead.hypergradient(
            batch.inputs,
            logits,
            loss=lambda z: self._loss(z, batch, *self._temperatures()).total,
            meta_loss=lambda forward: F.cross_entropy(
                forward(meta_batch.inputs), meta_batch.labels
            ),
            phi=[phi],
            estimator=self._config.estimator,
        )
        (phi.grad,) = found.gradients
        self._optimiser.step()
        self._temperatures.clamp_()
        meta_share = len(meta_batch.labels) / len(batch.labels)
        return MetaStep(found.meta_loss, phi.grad, meta_share + JVP_STEP_EQUIVALENTS)

    def _loss(self, logits: Tensor, batch: Batch, tau_s: Temperature, tau_t: Temperature) -> Losses:
        assert batch.teacher_logits is not None
        return distillation_loss(
            logits, batch.teacher_logits, batch.labels, tau_s, tau_t, self._config.alpha
        )

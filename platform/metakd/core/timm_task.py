"""Learned temperatures as a timm training task: switch one class.

``LogitDistillationTask`` distils at a temperature that has to be chosen. This subclass takes
the same arguments, and learns it while timm's own training loop runs: it needs no further call, no
held-out split and no second loader. Each look-ahead is judged by the next training batch, which
comes through ``forward`` anyway.
"""

import weakref
from typing import Any

import torch
from timm.task import LogitDistillationTask
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from metakd.core.lookahead import bare
from metakd.core.meta_temperature import MetaTemperature


class MetaTemperatureTask(LogitDistillationTask):  # type: ignore[misc]
    """timm's logit distillation at learned temperatures.

    The first optimiser that steps the student is taken for its optimiser; steps before that, and
    one look-ahead's worth of others, are plain. Temperatures are part of the task's checkpoint
    state. After a look-ahead has begun the loss is
    ``task_loss_weight · criterion + distill_loss_weight · KD``, as in timm, with KD at the learned
    temperatures and at the size that it has at τ = 4.

    Args:
        *args: Those of ``LogitDistillationTask``.
        temperature: Where the gradient rule starts; the alignment rule has no start.
        meta: Settings of ``MetaTemperature``, for example ``{"interval": 16}``.
        **kwargs: Those of ``LogitDistillationTask``.

    Raises:
        ValueError: If a setting is out of its range.

    Attributes:
        temperatures: The ``MetaTemperature``.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - timm's own
        temperature: float = 4.0,
        meta: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401 - timm's own
    ) -> None:
        super().__init__(*args, temperature=temperature, **kwargs)
        self._weight = self.task_loss_weight + self.distill_loss_weight
        settings = {"alpha": self.distill_loss_weight / self._weight, **(meta or {})}
        if settings.get("rule", "gradient") == "gradient":
            settings["init"] = temperature
        self.temperatures = MetaTemperature(**settings).attach(self.trainable_module)
        self.temperatures.use_task_loss(self.criterion)
        self._wait_for_optimiser()

    def forward(self, input: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Returns timm's dictionary: loss, output, task_loss and kd_loss.

        Args:
            input: Images, (B, C, H, W).
            target: Class indices (B,), or probabilities (B, K).
        """
        self._watch_once_known()
        if self.training and self.temperatures.is_due:
            rows = self.temperatures.config.samples_of(len(input))
            self.temperatures.meta_step(input[:rows], target[:rows], self.criterion)
        student_logits = self.trainable_module(input)
        with torch.no_grad():
            shown = self.teacher.normalize_input(input, self.student_mean, self.student_std)
            teacher_logits = self.teacher(shown, return_features=False)
        losses = self.temperatures.losses(student_logits, teacher_logits, target)
        return {
            "loss": self._weight * losses.total,
            "output": student_logits,
            "task_loss": losses.ce,
            "kd_loss": losses.kd,
        }

    def get_task_state(self, module: nn.Module | None = None, ema: bool = False) -> dict[str, Any]:
        """Returns what a checkpoint keeps beside the student."""
        return {} if ema else {"temperatures": self.temperatures.state_dict()}

    def load_task_state(
        self,
        state: dict[str, Any] | None,
        strict: bool = True,
        module: nn.Module | None = None,
        ema: bool = False,
    ) -> None:
        """Takes it back."""
        if state and not ema:
            self.temperatures.load_state_dict(state["temperatures"], strict=strict)

    def _wait_for_optimiser(self) -> None:
        self._optimiser: Optimizer | None = None
        waiting = weakref.ref(self)

        def after_any_step(optimiser: Optimizer, args: object, kwargs: object) -> None:
            task = waiting()
            if task is not None and task._optimiser is None:
                owned = {p for group in optimiser.param_groups for p in group["params"]}
                if any(p in owned for p in bare(task.trainable_module).parameters()):
                    task._optimiser = optimiser

        hook = register_optimizer_step_post_hook(after_any_step)
        self._stop_waiting = weakref.finalize(self, hook.remove)

    def _watch_once_known(self) -> None:
        if self._optimiser is not None and self._stop_waiting.alive:
            self._stop_waiting()
            self.temperatures.watch(self.trainable_module, self._optimiser)

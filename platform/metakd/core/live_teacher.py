"""A teacher whose logits are those of its present parameters, which move by a gradient at them."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.losses import at_least_float32
from metakd.core.optimisers import EagerAdamW, EagerSGD
from metakd.core.ranks import mean_over_ranks

TeacherAlgorithm = Literal["sgd", "adamw"]


class TeacherError(ValueError):
    """A teacher that cannot learn to teach."""


class LiveTeacher:
    """A module in evaluation mode whose logits follow its parameters.

    Dropout is off and running statistics neither move nor are replaced by those of a batch, also
    while it learns: what changes is its parameters alone.

    Args:
        module: Maps inputs to logits (B, C). Those of its parameters that require a gradient learn;
            the others stay as they are.
        algorithm: What moves it: SGD with momentum 0.9, or AdamW.
        lr: Its peak rate.
        weight_decay: An L2 penalty (SGD), or decoupled (AdamW).
        largest_norm: Its gradient is scaled down to this norm; None leaves it as it is.

    Raises:
        TeacherError: If it has no trainable parameters.

    Attributes:
        module: The module.
    """

    def __init__(
        self,
        module: nn.Module,
        algorithm: TeacherAlgorithm,
        lr: float,
        weight_decay: float,
        largest_norm: float | None,
    ) -> None:
        self.module = module.eval()
        self._lr = lr
        self._largest_norm = largest_norm
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        if not self._parameters:
            raise TeacherError(
                f"the teacher, a {type(module).__name__}, has no trainable parameters, so it "
                "cannot learn to teach: let some of them require a gradient, or distil from it as "
                "it is (kd)"
            )
        self._optimiser: Optimizer
        if algorithm == "sgd":
            self._optimiser = EagerSGD(
                self._parameters, lr=lr, momentum=0.9, weight_decay=weight_decay
            )
        else:
            self._optimiser = EagerAdamW(self._parameters, lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def logits(self, inputs: Any) -> Tensor:  # noqa: ANN401 - whatever the module takes
        """Returns its logits (B, C), without a graph."""
        return self.logits_with_graph(inputs)

    def logits_with_graph(self, inputs: Any) -> Tensor:  # noqa: ANN401 - whatever the module takes
        """Returns its logits (B, C), from which ``learn`` goes back to its parameters."""
        self.module.eval()
        return at_least_float32(self.module(inputs))

    def learn(
        self,
        logits: Sequence[Tensor],
        slopes: Sequence[Tensor],
        share_of_lr: float,
        group: dist.ProcessGroup | None,
    ) -> bool:
        """Moves it by the derivative of something at its logits.

        Args:
            logits: Of ``logits_with_graph``, each (b, C).
            slopes: d(what is to fall)/d(logits), on this rank's samples.
            share_of_lr: The rate of this step over the peak rate.
            group: The ranks, each with its share of the samples; all of them move alike.

        Returns:
            Whether it moved: a gradient that is not finite moves nothing.
        """
        gradients = torch.autograd.grad(
            list(logits), self._parameters, list(slopes), allow_unused=True, materialize_grads=True
        )
        named = {str(index): gradient for index, gradient in enumerate(gradients)}
        means = list(mean_over_ranks(named, group).values())
        norm = torch.nn.utils.get_total_norm(means)
        if not norm.isfinite():
            return False
        for parameter, gradient in zip(self._parameters, means, strict=True):
            parameter.grad = gradient
        if self._largest_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self._largest_norm, norm)
        for settings in self._optimiser.param_groups:
            settings["lr"] = self._lr * share_of_lr
        self._optimiser.step()
        self._optimiser.zero_grad()
        return True

    def state_dict(self) -> dict[str, Any]:
        """Returns its weights, and what its optimiser remembers."""
        return {"module": self.module.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes its weights, and what its optimiser remembers."""
        self.module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])

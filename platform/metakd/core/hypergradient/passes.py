"""Passes through the student at parameters of one's choice, as its training pass was."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from metakd.core.hypergradient.taken_step import TakenStep


def logits_at(student: nn.Module, theta: Mapping[str, Tensor], inputs: object) -> Tensor:
    """Returns the student's logits (B, C) with some parameters replaced by ``theta``."""
    logits: Tensor = functional_call(student, dict(theta), (inputs,))
    return logits


@contextmanager
def repeated(step: TakenStep) -> Iterator[None]:
    """Passes inside draw the dropout masks of the step again, in full precision.

    Fused attention has neither a forward-mode rule nor a second derivative; PyTorch's math kernel
    has both, so it stands in for the other here and only here.
    """
    with (
        step.random_state.again(),
        torch.autocast(step.device.type, enabled=False),
        sdpa_kernel(SDPBackend.MATH),
    ):
        yield

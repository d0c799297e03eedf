"""N students of one architecture as one: convolutions in N groups, BatchNorm of N·C channels.

Measured only: metakd trains no students so.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from metakd.models.classifier import Classifier


class PackedLinear(nn.Module):
    """N linear layers side by side: (B, N·F) to (B, N, K)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.cat([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.cat([layer.bias.detach() for layer in layers]))
        self._students, self._features = len(layers), layers[0].in_features

    def forward(self, x: Tensor) -> Tensor:
        """Maps pooled features of all students to the logits of all."""
        x = x.reshape(len(x), self._students, self._features)
        weight = self.weight.view(self._students, -1, self._features)
        return torch.einsum("bnf,nkf->bnk", x, weight) + self.bias.view(self._students, -1)


def packed(students: Sequence[Classifier]) -> nn.Module:
    """Returns one module for all: images (B, N·C, H, W) to logits (B, N, K).

    Each parameter's first dimension holds the students' own, one after the other.
    """
    return _packed(students)


def _packed(modules: Sequence[nn.Module]) -> nn.Module:
    first, count = modules[0], len(modules)
    if isinstance(first, nn.Linear):
        return PackedLinear(modules)  # type: ignore[arg-type]
    if isinstance(first, nn.Conv2d):
        grouped = nn.Conv2d(
            count * first.in_channels,
            count * first.out_channels,
            first.kernel_size,  # type: ignore[arg-type]
            first.stride,  # type: ignore[arg-type]
            first.padding,  # type: ignore[arg-type]
            groups=count * first.groups,
            bias=first.bias is not None,
        )
        return _with_state(grouped, modules)
    if isinstance(first, nn.BatchNorm2d):
        return _with_state(nn.BatchNorm2d(count * first.num_features), modules)
    whole = deepcopy(first)
    for name, _ in first.named_children():
        setattr(whole, name, _packed([getattr(module, name) for module in modules]))
    return whole


def _with_state(module: nn.Module, parts: Sequence[nn.Module]) -> nn.Module:
    states = [part.state_dict() for part in parts]
    joined = {
        name: torch.cat([state[name] for state in states]) if value.dim() else value
        for name, value in states[0].items()
    }
    module.load_state_dict(joined)
    return module

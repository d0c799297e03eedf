"""BatchNorm over the whole batch of a DDP student, as one process with all of it would have it.

PyTorch's own, ``SyncBatchNorm``, needs a GPU and has no forward-mode rule, so that a look-ahead
could not be exact. This one has first and second derivatives in both modes, on any device.
"""

from functools import cache

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from metakd.core.losses import at_least_float32
from metakd.core.ranks import sum_over_ranks


class BatchNormError(ValueError):
    """A student's BatchNorm cannot take its statistics over several ranks."""


def share_batch_norm(model: nn.Module, group: dist.ProcessGroup) -> nn.Module:
    """Lets every BatchNorm of the model take its statistics over all ranks; in place.

    Names, parameters and running statistics stay as they are.

    Args:
        model: The student, before DDP wraps it.
        group: The ranks, each of which passes its share of every batch.

    Raises:
        BatchNormError: If there is a BatchNorm of another kind than PyTorch's or timm's.
    """
    for name, module in model.named_modules():
        if not isinstance(module, _BatchNorm):
            continue
        shared = _shared_class(type(module))
        if shared is None:
            raise BatchNormError(
                f"{name} is a {type(module).__name__}, whose statistics cannot be taken over "
                "several workers: give each trial one worker, or use nn.BatchNorm2d"
            )
        module.__class__ = shared
        module.group = group  # type: ignore[assignment]
    return model


def _statistics(inputs: Tensor, group: dist.ProcessGroup) -> tuple[Tensor, Tensor, Tensor]:
    """Returns mean (C,), biased variance (C,) and the number of values (scalar) over all ranks."""
    channels = inputs.shape[1]
    dims = [dim for dim in range(inputs.dim()) if dim != 1]
    variance, mean = torch.var_mean(inputs, dim=dims, correction=0)
    count = mean.new_full((1,), inputs.numel() // channels)
    # Each rank fills its row, so that the sum is everybody's: one all-reduce, and no difference of
    # large squares.
    mine = torch.cat([mean, variance, count])
    rows = F.one_hot(
        torch.tensor(dist.get_rank(group), device=mine.device), dist.get_world_size(group)
    )
    table = sum_over_ranks(rows[:, None].to(mine.dtype) * mine, group)
    means, variances, counts = table.split([channels, channels, 1], dim=1)
    total = counts.sum()
    whole = (counts * means).sum(dim=0) / total
    spread = (counts * (variances + (means - whole).square())).sum(dim=0) / total
    return whole, spread, total


def _normalise(module: _BatchNorm, inputs: Tensor, group: dist.ProcessGroup) -> Tensor:
    # As native BatchNorm does under autocast: statistics in float32 or finer.
    wide = at_least_float32(inputs)
    mean, variance, count = _statistics(wide, group)
    if module.track_running_stats and module.running_mean is not None:
        _move_running_statistics(module, mean.detach(), variance.detach(), count.detach())
    scale = torch.rsqrt(variance + module.eps)
    if module.affine:
        scale = scale * module.weight
        shift = module.bias - mean * scale
    else:
        shift = -mean * scale
    shape = [1, -1, *[1] * (inputs.dim() - 2)]
    return torch.addcmul(shift.view(shape), wide, scale.view(shape)).to(inputs.dtype)


@torch.no_grad()
def _move_running_statistics(
    module: _BatchNorm, mean: Tensor, variance: Tensor, count: Tensor
) -> None:
    assert module.running_mean is not None
    assert module.running_var is not None
    assert module.num_batches_tracked is not None
    module.num_batches_tracked.add_(1)
    rate = module.momentum
    if rate is None:
        rate = 1.0 / float(module.num_batches_tracked)
    module.running_mean.lerp_(mean.to(module.running_mean.dtype), rate)
    unbiased = variance * (count / (count - 1))
    module.running_var.lerp_(unbiased.to(module.running_var.dtype), rate)


class _SharedBatchNorm(_BatchNorm):
    """Normalises by the statistics of all ranks while it trains."""

    group: dist.ProcessGroup

    def _check_input_dim(self, inputs: Tensor) -> None:
        if inputs.dim() < 2:
            raise ValueError(f"expected inputs (B, C, ...), got {tuple(inputs.shape)}")

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps (B, C, ...) to the same shape."""
        if not self.training:
            return super().forward(inputs)
        return _normalise(self, inputs, self.group)


def _shared_class(kind: type[_BatchNorm]) -> type[_BatchNorm] | None:
    """Returns the class that stands in for a kind of BatchNorm, None for one that is unknown."""
    if kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
        return _SharedBatchNorm
    if kind.__module__.startswith("timm.") and kind.__name__ == "BatchNormAct2d":
        return _shared_timm_class()
    return None


@cache
def _shared_timm_class() -> type[_BatchNorm]:
    # timm costs seconds to import, and only its own models need it.
    from timm.layers import BatchNormAct2d

    class SharedBatchNormAct2d(BatchNormAct2d):  # type: ignore[misc]
        """The same for timm's BatchNorm with dropout and activation in it."""

        def forward(self, x: Tensor) -> Tensor:
            """Maps (B, C, H, W) to the same shape."""
            if not self.training:
                return super().forward(x)  # type: ignore[no-any-return]
            return self.act(self.drop(_normalise(self, x, self.group)))  # type: ignore[no-any-return]

    return SharedBatchNormAct2d

"""The ranks of a DDP student: who they are, and means over them."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def ranks_of(model: nn.Module) -> dist.ProcessGroup | None:
    """Returns the ranks of a DDP module, compiled or not; None for any other module."""
    while hasattr(model, "_orig_mod"):
        model = model._orig_mod  # type: ignore[assignment]
    return model.process_group if isinstance(model, DistributedDataParallel) else None


def sum_over_ranks(tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Returns the sum of a tensor over ranks, with derivatives of any order and in both modes."""
    total: Tensor = _SumOverRanks.apply(tensor, group)
    return total


def mean_over_ranks(
    tensors: dict[str, Tensor], group: dist.ProcessGroup | None
) -> dict[str, Tensor]:
    """Returns the means over ranks by one all-reduce, the same to the last bit on all of them.

    Args:
        tensors: Tensors of one dtype, the same names and shapes on all ranks.
        group: The ranks; None leaves the tensors as they are.
    """
    if group is None or not tensors:
        return tensors
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors.values()])
    mean = sum_over_ranks(flat, group) / dist.get_world_size(group)
    parts = mean.split([tensor.numel() for tensor in tensors.values()])
    return {
        name: part.view_as(tensor)
        for (name, tensor), part in zip(tensors.items(), parts, strict=True)
    }


def rows_of_all_ranks(rows: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Returns all ranks' rows of a tensor, dealt out in turn, in the order before the deal."""
    rows = rows.contiguous()
    shares = [torch.empty_like(rows) for _ in range(dist.get_world_size(group))]
    dist.all_gather(shares, rows, group=group)
    return torch.stack(shares, dim=1).flatten(0, 1)


def norms_over_ranks(*tensors: Tensor, group: dist.ProcessGroup | None) -> tuple[Tensor, ...]:
    """Returns the norms of tensors whose rows are dealt out to the ranks, each over √ranks."""
    norms = {str(index): tensor.norm() for index, tensor in enumerate(tensors)}
    if group is None:
        return tuple(norms.values())
    squares = {name: norm.square() for name, norm in norms.items()}
    return tuple(mean.sqrt() for mean in mean_over_ranks(squares, group).values())


class _SumOverRanks(torch.autograd.Function):
    """A sum over ranks whose derivatives, of any order and in both modes, are such sums too."""

    @staticmethod
    def forward(tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
        ctx.group = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return _SumOverRanks.apply(gradient, ctx.group), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:  # noqa: ANN401
        total: Tensor = _SumOverRanks.apply(tangent, ctx.group)
        return total

"""Means over the ranks of a DDP student."""

import torch
import torch.distributed as dist
from torch import Tensor


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
    dist.all_reduce(flat, group=group)
    flat /= dist.get_world_size(group)
    parts = flat.split([tensor.numel() for tensor in tensors.values()])
    return {
        name: part.view_as(tensor)
        for (name, tensor), part in zip(tensors.items(), parts, strict=True)
    }

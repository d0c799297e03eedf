"""BatchNorm in extra passes: batch statistics as in training, running statistics left alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


@contextmanager
def frozen_running_statistics(model: nn.Module) -> Iterator[None]:
    """Lets training-mode passes through ``model`` move no running statistics.

    The look-ahead passes the same batch, and the meta batch, through the student once more; the
    running statistics belong to the training pass alone.
    """
    tracking = [
        module
        for module in model.modules()
        if isinstance(module, _NormBase) and module.track_running_stats and module.training
    ]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True

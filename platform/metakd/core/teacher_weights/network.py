"""The network that weighs teachers for each sample."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.ensemble_loss import TeachersError

Start = Literal["equal", "random"]


class WeightNetwork(nn.Module):
    """φ = a network from what is known of a sample to a weight for each of K teachers.

    Source: MMKD (Zhang et al. 2023, arXiv 2306.06634), its code: Linear to half the width, ReLU,
    Linear to K, softmax.

    Args:
        width: Numbers that it reads of each sample.
        teachers: K.
        start: ``equal`` puts the last layer at zero, so that learning starts from the mean of the
            teachers' losses, exactly; ``random`` is PyTorch's own, as in the code.
        seed: Of the weights; the caller's random state stays as it was.
    """

    def __init__(self, width: int, teachers: int, start: Start, seed: int) -> None:
        super().__init__()
        hidden = width // 2
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would reseed the caller's GPUs as well.
            torch.default_generator.manual_seed(seed)
            self.first = nn.Linear(width, hidden)
            self.last = nn.Linear(hidden, teachers)
        if start == "equal":
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

    def forward(self, read: Tensor) -> Tensor:
        """Maps (B, width) to weights (B, K), rows summing to 1, in full precision.

        Raises:
            TeachersError: If the width is another.
        """
        if read.shape[1] != self.first.in_features:
            raise TeachersError(
                f"a weight network was made for {self.first.in_features} numbers a sample, got "
                f"{read.shape[1]}: as many teachers, classes and, for a Gram matrix, samples must "
                "come as in the first batch"
            )
        with torch.autocast(read.device.type, enabled=False):
            hidden = F.relu(self.first(read.to(self.first.weight.dtype)))
            return F.softmax(self.last(hidden), dim=1)

"""The random state of a device, so that a pass can be made again with the same dropout masks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomState:
    """The state of a device's default generator at one moment."""

    device: torch.device
    state: Tensor

    @staticmethod
    def now(device: torch.device) -> "RandomState":
        """Reads the state."""
        if device.type == "cpu":
            return RandomState(device, torch.get_rng_state())
        return RandomState(device, torch.get_device_module(device).get_rng_state(device))

    def restore(self) -> None:
        """Makes it the device's state."""
        if self.device.type == "cpu":
            torch.set_rng_state(self.state)
        else:
            torch.get_device_module(self.device).set_rng_state(self.state, self.device)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draws the same numbers again inside, and leaves the present state as it was."""
        present = RandomState.now(self.device)
        self.restore()
        try:
            yield
        finally:
            present.restore()

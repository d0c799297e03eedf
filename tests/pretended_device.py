"""A device that is not there: its tensors lie on the CPU, and mix with none of the CPU's.

What a GPU refuses, an operator with operands of two devices, and what slows it down unseen, a host
that waits for it within a step, is otherwise found on a GPU alone. Here an operator of the device
runs on the CPU with the same values; one that mixes devices raises, and each wait is counted.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

import metakd

NAME = "pretended"
aten = torch.ops.aten

INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
COPYING = {aten.copy_, aten._to_copy}
MIXING = {*COPYING, *INDEXING}
"""What takes operands of both: copies, and indices, which may lie on the CPU."""
WAITING = {aten._local_scalar_dense, aten.equal, aten.nonzero, aten.masked_select}
"""What the host waits for: a value, or a size that depends on values."""


class MixedDevicesError(RuntimeError):
    """An operator was given operands on two devices."""


class OnDevice(Tensor):
    """A tensor of the device.

    Attributes:
        held: Its values, on the CPU.
    """

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Self:
        made = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        made.held = held
        return made

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} outside of PretendedDevice")


class PretendedDevice(TorchDispatchMode):
    """Runs the operators of the device inside, and watches them.

    Attributes:
        waits: How often the host waited for the device, by the line of metakd that had it wait.
        is_watching: Whether waits are counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.is_watching = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        operands = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        on_device = {id(x.held): x for x in operands if isinstance(x, OnDevice)}
        operator = func.overloadpacket
        on_cpu = [x for x in operands if not isinstance(x, OnDevice) and x.dim() > 0]
        if on_device and on_cpu and operator not in MIXING:
            raise MixedDevicesError(f"{func} has operands on {NAME} and on the CPU")
        stays = bool(on_device)
        if kwargs.get("device") is not None:
            stays = torch.device(kwargs["device"]).type == NAME
            kwargs["device"] = torch.device("cpu")
        elif operator is aten.copy_:
            stays = isinstance(args[0], OnDevice)
        if self.is_watching and _waits(operator, args, kwargs, stays):
            self.waits[f"{_line_of_metakd()}, {func}"] += 1
        if operator is aten._efficientzerotensor:  # holds no values that the CPU could read
            func = aten.zeros.default
        held_args, held_kwargs = tree_map(_held, (args, kwargs))
        out = func(*held_args, **held_kwargs)
        if operator is aten.copy_:
            return args[0]

        def as_seen(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return on_device[id(value)] if id(value) in on_device else OnDevice(value)

        return tree_map(as_seen, out) if stays else out


class _Module(_DummyBackendModule):
    """What ``torch.cuda`` is to a GPU."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return []

    def get_rng_state(self, device: object = NAME) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: object = NAME) -> None:
        torch.set_rng_state(state)


def register() -> None:
    """Has this process know the device, for good; modules move to it by swapping tensors."""
    _setup_privateuseone_for_python_backend(rename=NAME, backend_module=_Module())
    torch.__future__.set_swap_module_params_on_conversion(True)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnDevice) else value


def _waits(operator: Any, args: Any, kwargs: dict[str, Any], stays: bool) -> bool:
    """Says whether the host waits in an operator until the device has done all it was given."""
    if operator in COPYING:
        source = args[1] if operator is aten.copy_ else args[0]
        if isinstance(source, OnDevice):
            return not stays
        is_free = kwargs.get("non_blocking", False) or args[2:3] == (True,)
        return stays and not is_free
    if not isinstance(args[0] if args else None, OnDevice):
        return False
    if operator in INDEXING:
        # A CPU's index is copied, and of a mask the places are counted.
        indices = [index for index in args[1] if index is not None]
        return any(
            not isinstance(index, OnDevice) or index.dtype in (torch.bool, torch.uint8)
            for index in indices
        )
    return operator in WAITING


def _line_of_metakd() -> str:
    frame = sys._getframe()
    root = str(Path(metakd.__file__).parent)
    while frame.f_back is not None and not frame.f_code.co_filename.startswith(root):
        frame = frame.f_back
    name = frame.f_code.co_filename.removeprefix(f"{root}/")
    return f"{name}:{frame.f_lineno}"

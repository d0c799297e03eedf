"""What a pass of a model takes on a GPU that is not here: operations counted, speeds assumed.

A pass is charged for its arithmetic at the speed of matrix products, and for every value that it
writes at the speed of memory, one after the other. On an RTX 3090 that gives the training speeds
that timm measured there (``results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv`` of its
repository) of ViT-S, B and L within a tenth and of ViT-T within a third. Small models are bound by
memory: one sustained share of the peak for all of them would be wrong by a factor of three.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from metakd.models.names import ImageShape
from metakd.models.outline import outline_of, taking_images

BACKWARD = 2
"""A backward pass is two forward passes."""
BYTES_PER_VALUE = 16
"""What training under autocast moves to and from memory for each value of the forward pass: it is
written, read by the next operation and again in the backward pass, and so is its gradient."""
LAUNCH_S = 8e-6
"""What PyTorch takes to start an operation; small students on small images take no less."""
FLOAT32_OVER_AUTOCAST = 2
"""Values of a pass in float32 are twice as wide."""


@dataclass(frozen=True)
class Gpu:
    """A GPU's sustained speeds, in FLOP/s and bytes a second.

    Attributes:
        name: As people call it.
        autocast: Matrix products and convolutions in 16 bits.
        convolutions: Convolutions of float32, which PyTorch rounds to TF32.
        products: Matrix products of float32, which it does not.
        memory: Its memory.
    """

    name: str
    autocast: float
    convolutions: float
    products: float
    memory: float


def _gpu(name: str, bfloat16: float, tf32: float, float32: float, memory: float) -> Gpu:
    """Returns a GPU by its dense peaks in TFLOP/s, and its memory's in TB/s.

    Large products reach 0.6 of the first under a power limit, convolutions 0.3 of the second.
    """
    return Gpu(name, 0.6e12 * bfloat16, 0.3e12 * tf32, 0.75e12 * float32, 1e12 * memory)


# NVIDIA's data sheets, the SXM versions.
A100 = _gpu("A100", 312, 156, 19.5, 2.04)
H100 = _gpu("H100", 989, 495, 67, 3.35)
H200 = _gpu("H200", 989, 495, 67, 4.8)
GPUS = (A100, H100, H200)


class Work(NamedTuple):
    """What a forward pass of one image does.

    Attributes:
        convolutions: FLOPs in convolutions.
        products: FLOPs in matrix products.
        values: Values that its operations write.
        operations: How many operations write them.
    """

    convolutions: float
    products: float
    values: float
    operations: int = 0

    def training_s(self, gpu: Gpu) -> float:
        """Returns the seconds of a forward and a backward pass of one image under autocast."""
        flops = (1 + BACKWARD) * (self.convolutions + self.products)
        return flops / gpu.autocast + self.values * BYTES_PER_VALUE / gpu.memory

    @property
    def launching_s(self) -> float:
        """The least seconds of a step, however few images: PyTorch starts each operation alone."""
        return (1 + BACKWARD) * self.operations * LAUNCH_S

    def forward_s(self, gpu: Gpu) -> float:
        """Returns the seconds of a forward pass of one image in float32, as teachers compute."""
        arithmetic_s = self.convolutions / gpu.convolutions + self.products / gpu.products
        moved = self.values * BYTES_PER_VALUE * FLOAT32_OVER_AUTOCAST / (1 + BACKWARD)
        return arithmetic_s + moved / gpu.memory


@cache
def work_of(model: str, image_shape: ImageShape, num_classes: int) -> Work:
    """Counts a model's forward pass, without its weights or a GPU.

    Args:
        model: As ``create_model`` takes it.
        image_shape: Shape (C, H, W) of the images.
        num_classes: Classes K.

    Raises:
        ModelError: If there is no such model, or it cannot take such images.
    """
    built = outline_of(model, image_shape, num_classes).eval()
    images = torch.empty(1, *image_shape, device="meta")
    flops = FlopCounterMode(display=False)
    written = _Written()
    with taking_images(model, image_shape), torch.no_grad(), flops, written:
        built(images)
    by_operation = flops.get_flop_counts()["Global"]
    convolutions = sum(n for operation, n in by_operation.items() if "conv" in str(operation))
    products = flops.get_total_flops() - convolutions
    return Work(convolutions, products, written.values, written.operations)


class _Written(TorchDispatchMode):
    """Counts the values that operations write; views write none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values = self.operations = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - as torch declares it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        out = func(*args, **(kwargs or {}))
        if not func.is_view and func is not torch.ops.aten._unsafe_view.default:
            self.operations += 1
            self.values += sum(x.numel() for x in tree_leaves(out) if isinstance(x, Tensor))
        return out

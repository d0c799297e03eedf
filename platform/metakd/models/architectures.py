"""The models of our own, by name; ``timm_models`` makes them known to timm too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metakd.models.classifier import Classifier

NARROW = (16, 16, 32, 64)
WIDE = (32, 64, 128, 256)


@dataclass(frozen=True)
class Architecture:
    """A class of models and its options: importing PyTorch can wait until one is built.

    Attributes:
        module: Where the class is defined, below ``metakd.models``.
        name: The class.
        options: What it takes beside channels and classes.
    """

    module: str
    name: str
    options: Mapping[str, object] = field(default_factory=dict)

    def build(self, in_chans: int, num_classes: int) -> "Classifier":
        """Returns a model with new weights for images of so many channels and K classes."""
        kind = getattr(import_module(f"metakd.models.{self.module}"), self.name)
        model: Classifier = kind(in_chans, num_classes, **self.options)
        return model


def _cnn(*stages: tuple[int, ...], stem_stride: int = 1) -> Architecture:
    return Architecture("plain", "PlainCNN", {"stages": stages, "stem_stride": stem_stride})


def _vgg(*stages: tuple[int, ...]) -> Architecture:
    """Returns VGG as RepDistiller has it for 32×32 images: no pooling before its last widths."""
    return Architecture("plain", "PlainCNN", {"stages": stages, "bias": True})


def _resnet(depth: int, widths: tuple[int, ...]) -> Architecture:
    return Architecture("cifar_resnet", "CifarResNet", {"depth": depth, "widths": widths})


def _wide_resnet(depth: int, widen: int) -> Architecture:
    return Architecture("cifar_wrn", "CifarWideResNet", {"depth": depth, "widen": widen})


CATALOGUE: dict[str, Architecture] = {
    "digit_mlp": Architecture("plain", "PixelMLP", {"width": 64}),
    "digit_cnn_tiny": _cnn((8,), (16,), (28,)),
    "digit_cnn_small": _cnn((12, 24), (36, 36)),
    "digit_cnn_medium": _cnn((16, 32), (48, 48)),
    "digit_cnn": _cnn((32, 64), (96, 96)),
    "digit_cnn_deep": _cnn((32, 32, 64), (96, 96, 96)),
    "cifar_cnn_tiny": _cnn((16, 32), (64,), (64,), stem_stride=2),
    "cifar_cnn_small": _cnn((16,), (32,), (64,), (128,)),
    "cifar_cnn": _cnn((32,), (64,), (128,), (256,)),
    "cifar_cnn_deep": _cnn((32,), (64, 64), (128, 128), (256, 256)),
    "cifar_resnet8": _resnet(8, NARROW),
    "cifar_resnet20": _resnet(20, NARROW),
    "cifar_resnet32": _resnet(32, NARROW),
    "cifar_resnet56": _resnet(56, NARROW),
    "cifar_resnet110": _resnet(110, NARROW),
    "cifar_resnet8x4": _resnet(8, WIDE),
    "cifar_resnet32x4": _resnet(32, WIDE),
    "cifar_resnet50": Architecture("cifar_resnet", "CifarResNet50"),
    "cifar_wrn_16_2": _wide_resnet(16, 2),
    "cifar_wrn_40_1": _wide_resnet(40, 1),
    "cifar_wrn_40_2": _wide_resnet(40, 2),
    "cifar_vgg8": _vgg((64,), (128,), (256,), (512, 512)),
    "cifar_vgg13": _vgg((64, 64), (128, 128), (256, 256), (512, 512, 512, 512)),
    "cifar_mobilenetv2": Architecture("cifar_mobile", "CifarMobileNetV2"),
    "cifar_shufflenetv1": Architecture("cifar_mobile", "CifarShuffleNetV1"),
    "cifar_shufflenetv2": Architecture("cifar_mobile", "CifarShuffleNetV2"),
}

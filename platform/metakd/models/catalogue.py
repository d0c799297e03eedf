"""The models of our own, by name; ``timm_models`` makes them known to timm too."""

from collections.abc import Callable
from functools import partial

from metakd.models.cifar_resnet import CifarResNet
from metakd.models.cifar_wrn import CifarWideResNet
from metakd.models.classifier import Classifier
from metakd.models.plain import PixelMLP, PlainCNN

NARROW = (16, 16, 32, 64)
WIDE = (32, 64, 128, 256)

CATALOGUE: dict[str, Callable[[int, int], Classifier]] = {
    "digit_mlp": partial(PixelMLP, width=64),
    "digit_cnn_tiny": partial(PlainCNN, stages=((8,), (16,), (28,))),
    "digit_cnn_small": partial(PlainCNN, stages=((12, 24), (36, 36))),
    "digit_cnn_medium": partial(PlainCNN, stages=((16, 32), (48, 48))),
    "digit_cnn": partial(PlainCNN, stages=((32, 64), (96, 96))),
    "digit_cnn_deep": partial(PlainCNN, stages=((32, 32, 64), (96, 96, 96))),
    "cifar_cnn_tiny": partial(PlainCNN, stages=((16, 32), (64,), (64,)), stem_stride=2),
    "cifar_cnn_small": partial(PlainCNN, stages=((16,), (32,), (64,), (128,))),
    "cifar_cnn": partial(PlainCNN, stages=((32,), (64,), (128,), (256,))),
    "cifar_cnn_deep": partial(PlainCNN, stages=((32,), (64, 64), (128, 128), (256, 256))),
    "cifar_resnet8": partial(CifarResNet, depth=8, widths=NARROW),
    "cifar_resnet20": partial(CifarResNet, depth=20, widths=NARROW),
    "cifar_resnet56": partial(CifarResNet, depth=56, widths=NARROW),
    "cifar_resnet110": partial(CifarResNet, depth=110, widths=NARROW),
    "cifar_resnet8x4": partial(CifarResNet, depth=8, widths=WIDE),
    "cifar_resnet32x4": partial(CifarResNet, depth=32, widths=WIDE),
    "cifar_wrn_16_2": partial(CifarWideResNet, depth=16, widen=2),
    "cifar_wrn_40_2": partial(CifarWideResNet, depth=40, widen=2),
}

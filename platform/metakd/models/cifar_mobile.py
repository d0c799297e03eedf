"""MobileNetV2 and the ShuffleNets of the distillation literature, for 32×32 images.

Widths, depths and strides as in RepDistiller (Tian et al. 2020, arXiv 1910.10699), where they are
the students of another architecture than their teacher. They are neither those of timm nor those
of the papers: the first convolution of a ShuffleNet is 1×1, MobileNetV2 has ReLU and not ReLU6.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.models.classifier import Classifier, initialise_convolutions, normalised

# Of MobileNetV2, by stage: expansion, channels at width 1, blocks, stride of the first.
INVERTED_STAGES = (
    *((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)
SHUFFLE_STEM = 24


class InvertedResidual(nn.Module):
    """Expands, convolves each channel, projects (Sandler et al. 2018, arXiv 1801.04381)."""

    def __init__(self, width_in: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = width_in * expansion
        self.is_residual = stride == 1 and width_in == width
        self.layers = nn.Sequential(
            *normalised(width_in, inner),
            nn.ReLU(),
            *normalised(inner, inner, kernel=3, stride=stride, groups=inner),
            nn.ReLU(),
            *normalised(inner, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width_in, H, W) to (B, width, H / stride, W / stride)."""
        out: Tensor = self.layers(x)
        return x + out if self.is_residual else out


class CifarMobileNetV2(Classifier):
    """MobileNetV2 with half of its channels.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        last: Channels of the last feature map.
    """

    def __init__(self, in_chans: int, num_classes: int, last: int = 1280) -> None:
        super().__init__(num_features=last, num_classes=num_classes)
        width_in = 16
        layers = [*normalised(in_chans, width_in, kernel=3, stride=2), nn.ReLU()]
        for expansion, width, blocks, stride in INVERTED_STAGES:
            for block in range(blocks):
                layers.append(
                    InvertedResidual(width_in, width // 2, stride if block == 0 else 1, expansion)
                )
                width_in = width // 2
        self.features = nn.Sequential(*layers, *normalised(width_in, last), nn.ReLU())
        initialise_convolutions(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, H / 16, W / 16)."""
        features: Tensor = self.features(x)
        return features


class GroupedBottleneck(nn.Module):
    """ShuffleNet's unit (Zhang et al. 2018, arXiv 1707.01083); with stride 2 it keeps its input."""

    def __init__(self, width_in: int, width: int, stride: int, groups: int) -> None:
        super().__init__()
        self.stride = stride
        out = width - width_in if stride == 2 else width
        inner = out // 4
        first_groups = 1 if width_in == SHUFFLE_STEM else groups
        self.layers = nn.Sequential(
            *normalised(width_in, inner, groups=first_groups),
            nn.ReLU(),
            nn.ChannelShuffle(first_groups),
            *normalised(inner, inner, kernel=3, stride=stride, groups=inner),
            nn.ReLU(),
            *normalised(inner, out, groups=groups),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width_in, H, W) to (B, width, H / stride, W / stride)."""
        out: Tensor = self.layers(x)
        if self.stride == 1:
            return F.relu(x + out)
        return F.relu(torch.cat([out, F.avg_pool2d(x, 3, stride=2, padding=1)], dim=1))


class CifarShuffleNetV1(Classifier):
    """ShuffleNet with groups of channels.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        widths: Channels of the three stages.
        depths: Units of each.
        groups: Of its 1×1 convolutions.
    """

    def __init__(
        self,
        in_chans: int,
        num_classes: int,
        widths: Sequence[int] = (240, 480, 960),
        depths: Sequence[int] = (4, 8, 4),
        groups: int = 3,
    ) -> None:
        super().__init__(num_features=widths[-1], num_classes=num_classes)
        layers = [*normalised(in_chans, SHUFFLE_STEM), nn.ReLU()]
        width_in = SHUFFLE_STEM
        for width, depth in zip(widths, depths, strict=True):
            for unit in range(depth):
                layers.append(GroupedBottleneck(width_in, width, 2 if unit == 0 else 1, groups))
                width_in = width
        self.features = nn.Sequential(*layers)
        initialise_convolutions(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, H / 8, W / 8)."""
        features: Tensor = self.features(x)
        return features


class SplitUnit(nn.Module):
    """ShuffleNetV2's unit (Ma et al. 2018, arXiv 1807.11164): one half of the channels stays.

    With stride 2 both halves are made of all channels, each by a branch of its own.
    """

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        half = width // 2
        through = half if stride == 1 else width_in
        self.branch = nn.Sequential(
            *normalised(through, half),
            nn.ReLU(),
            *normalised(half, half, kernel=3, stride=stride, groups=half),
            *normalised(half, half),
            nn.ReLU(),
        )
        self.kept: nn.Module = nn.Identity()
        if stride == 2:
            self.kept = nn.Sequential(
                *normalised(width_in, width_in, kernel=3, stride=2, groups=width_in),
                *normalised(width_in, half),
                nn.ReLU(),
            )
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width_in, H, W) to (B, width, H / stride, W / stride)."""
        kept, through = x.chunk(2, dim=1) if self.stride == 1 else (x, x)
        shuffled: Tensor = self.shuffle(torch.cat([self.kept(kept), self.branch(through)], dim=1))
        return shuffled


class CifarShuffleNetV2(Classifier):
    """ShuffleNetV2 of width 1.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        widths: Channels of the three stages, and of the last feature map.
        depths: Units of each stage.
    """

    def __init__(
        self,
        in_chans: int,
        num_classes: int,
        widths: Sequence[int] = (116, 232, 464, 1024),
        depths: Sequence[int] = (4, 8, 4),
    ) -> None:
        super().__init__(num_features=widths[-1], num_classes=num_classes)
        layers = [*normalised(in_chans, SHUFFLE_STEM), nn.ReLU()]
        width_in = SHUFFLE_STEM
        for width, depth in zip(widths[:-1], depths, strict=True):
            for unit in range(depth):
                layers.append(SplitUnit(width_in, width, 2 if unit == 0 else 1))
                width_in = width
        self.features = nn.Sequential(*layers, *normalised(width_in, widths[-1]), nn.ReLU())
        initialise_convolutions(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, H / 8, W / 8)."""
        features: Tensor = self.features(x)
        return features

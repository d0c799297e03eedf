"""The residual networks of the distillation literature, for 32×32 images.

Widths and depths as in RepDistiller (Tian et al. 2020, arXiv 1910.10699), whose tables most papers
compare with: three stages of basic blocks, 1×1 convolution and BatchNorm as the shortcut where the
shape changes. Depth 6n + 2 has n blocks a stage (He et al. 2016, arXiv 1512.03385).
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from metakd.models.classifier import Classifier, initialise_convolutions, normalised


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around an identity or a 1×1 shortcut."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width_in, H, W) to (B, width, H / stride, W / stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class BottleneckBlock(nn.Module):
    """1×1, 3×3 and 1×1 convolutions around a shortcut that is 4 times as wide."""

    expansion = 4

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        outside = width * self.expansion
        self.layers = nn.Sequential(
            *normalised(width_in, width),
            nn.ReLU(),
            *normalised(width, width, kernel=3, stride=stride),
            nn.ReLU(),
            *normalised(width, outside),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != outside:
            self.shortcut = nn.Sequential(*normalised(width_in, outside, stride=stride))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width_in, H, W) to (B, 4 width, H / stride, W / stride)."""
        return F.relu(self.layers(x) + self.shortcut(x))


class CifarResNet50(Classifier):
    """ResNet-50 (He et al. 2016) for small images: a 3×3 stem without stride or pooling.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        depths: Blocks of the four stages.
    """

    def __init__(
        self, in_chans: int, num_classes: int, depths: Sequence[int] = (3, 4, 6, 3)
    ) -> None:
        widths = [64 * 2**stage for stage in range(len(depths))]
        super().__init__(
            num_features=widths[-1] * BottleneckBlock.expansion, num_classes=num_classes
        )
        self.stem = nn.Sequential(*normalised(in_chans, 64, kernel=3), nn.ReLU())
        blocks: list[nn.Module] = []
        width_in = 64
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(BottleneckBlock(width_in, width, stride))
                width_in = width * BottleneckBlock.expansion
        self.blocks = nn.Sequential(*blocks)
        initialise_convolutions(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, H / 8, W / 8)."""
        features: Tensor = self.blocks(self.stem(x))
        return features


class CifarResNet(Classifier):
    """A residual network of depth 6n + 2.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        depth: Layers that have weights, 6n + 2.
        widths: Channels of the stem and of the three stages.
    """

    def __init__(self, in_chans: int, num_classes: int, depth: int, widths: Sequence[int]) -> None:
        super().__init__(num_features=widths[-1], num_classes=num_classes)
        self.stem = nn.Sequential(
            nn.Conv2d(in_chans, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        blocks: list[nn.Module] = []
        width_in = widths[0]
        for stage, width in enumerate(widths[1:]):
            for block in range((depth - 2) // 6):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(BasicBlock(width_in, width, stride))
                width_in = width
        self.blocks = nn.Sequential(*blocks)
        initialise_convolutions(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, H / 4, W / 4)."""
        features: Tensor = self.blocks(self.stem(x))
        return features

"""Wide residual networks for 32×32 images (Zagoruyko & Komodakis 2016, arXiv 1605.07146)."""

import torch.nn.functional as F
from torch import Tensor, nn

from metakd.models.classifier import Classifier, initialise_convolutions


class PreActivationBlock(nn.Module):
    """BatchNorm and ReLU before each of two 3×3 convolutions.

    Where the width changes, the shortcut is a 1×1 convolution of the activated input.
    """

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = (
            None if width_in == width else nn.Conv2d(width_in, width, 1, stride=stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width_in, H, W) to (B, width, H / stride, W / stride)."""
        activated = F.relu(self.bn1(x))
        identity: Tensor = x if self.shortcut is None else self.shortcut(activated)
        out: Tensor = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return identity + out


class CifarWideResNet(Classifier):
    """WRN-depth-widen: 6n + 4 layers, three stages of 16, 32 and 64 times ``widen`` channels.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        depth: Layers, 6n + 4.
        widen: Factor on the channels.
    """

    def __init__(self, in_chans: int, num_classes: int, depth: int, widen: int) -> None:
        super().__init__(num_features=64 * widen, num_classes=num_classes)
        self.stem = nn.Conv2d(in_chans, 16, 3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        width_in = 16
        for stage, width in enumerate((16 * widen, 32 * widen, 64 * widen)):
            for block in range((depth - 4) // 6):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(PreActivationBlock(width_in, width, stride))
                width_in = width
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(width_in)
        initialise_convolutions(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, H / 4, W / 4)."""
        return F.relu(self.bn(self.blocks(self.stem(x))))

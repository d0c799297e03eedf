"""Small plain networks, quick enough for a CPU core: for 8×8 digits and for 32×32 pictures."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from metakd.models.classifier import Classifier, initialise_convolutions


class PlainCNN(Classifier):
    """Stages of 3×3 convolution, BatchNorm and ReLU, with 2×2 max pooling between the stages.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        stages: For each stage, the output channels of its convolutions.
        stem_stride: Stride of the first convolution.
        bias: Whether convolutions have one, which BatchNorm takes away again.
    """

    def __init__(
        self,
        in_chans: int,
        num_classes: int,
        stages: Sequence[Sequence[int]],
        stem_stride: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__(num_features=stages[-1][-1], num_classes=num_classes)
        layers: list[nn.Module] = []
        width_in, stride = in_chans, stem_stride
        for index, widths in enumerate(stages):
            if index > 0:
                layers.append(nn.MaxPool2d(2))
            for width in widths:
                layers += [
                    nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=bias),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                width_in, stride = width, 1
        self.features = nn.Sequential(*layers)
        initialise_convolutions(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, h, w)."""
        features: Tensor = self.features(x)
        return features


class PixelMLP(Classifier):
    """One hidden layer on the pixels of an 8×8 image; larger images are averaged down to 8×8.

    Args:
        in_chans: Channels of the images.
        num_classes: Classes K.
        width: Hidden units.
    """

    side = 8

    def __init__(self, in_chans: int, num_classes: int, width: int) -> None:
        super().__init__(num_features=width, num_classes=num_classes)
        self.hidden = nn.Linear(in_chans * self.side**2, width)

    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to the hidden layer as a feature map (B, F, 1, 1)."""
        pixels = F.adaptive_avg_pool2d(x, self.side).flatten(1)
        return F.relu(self.hidden(pixels))[:, :, None, None]

"""The shape of every model here: features, global average pooling, a linear layer."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Classifier(nn.Module, ABC):
    """A classifier with timm's interface; a model of its own adds ``forward_features``.

    Args:
        num_features: Channels F of the last feature map.
        num_classes: Classes K.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.num_classes = num_classes
        self.fc = nn.Linear(num_features, num_classes)

    @abstractmethod
    def forward_features(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to a feature map (B, F, h, w)."""

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Maps a feature map to logits (B, K), or to pooled features (B, F) if ``pre_logits``."""
        pooled = x.mean(dim=(2, 3))
        logits: Tensor = pooled if pre_logits else self.fc(pooled)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Maps images (B, C, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Linear:
        """Returns the last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """Replaces the last layer by a new one."""
        self.num_classes = num_classes
        self.fc = nn.Linear(self.num_features, num_classes)


def initialise_convolutions(model: nn.Module) -> None:
    """Draws convolution weights as He et al. 2015 (arXiv 1502.01852), variance 2 / fan-out."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def normalised(
    width_in: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Returns a convolution that keeps the size, but for its stride, and its BatchNorm."""
    convolution = nn.Conv2d(
        width_in, width, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    return [convolution, nn.BatchNorm2d(width)]

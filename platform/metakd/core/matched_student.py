"""A student whose last feature map is brought to the shapes of its teachers' maps.

The regressors are trained with the student, by the student's optimiser, and thrown away with it.
Everything that a loss needs comes out as one tensor, so that a look-ahead through features is a
look-ahead like any other: ``TakenStep`` and the estimators see one output of (B, C + D) numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.batches import Inputs
from metakd.core.features import FeatureError, MapShape, logits_and_map, map_shape
from metakd.core.losses import at_least_float32
from metakd.core.ranks import mean_over_ranks


class StudentOutputs(NamedTuple):
    """What a matched student gives for B samples.

    Attributes:
        logits: (B, C).
        features: Its own last map, (B, c, h, w).
        adapted: That map brought to each teacher's, (B, c_k, h_k, w_k), at most as high and wide as
            the student's own.
    """

    logits: Tensor
    features: Tensor
    adapted: tuple[Tensor, ...]


class MatchedStudent(nn.Module):
    """The student, and one regressor for each teacher.

    A regressor is a 1×1 convolution and BatchNorm. Maps of different sizes meet at the smaller
    height and width, to which the larger is average-pooled.

    Source: MMKD (arXiv 2306.06634), which rectifies the regressor's output (``rectified``). That
    reaches no negative feature, as those of a transformer or of a network that does not end in a
    ReLU; the default leaves it linear.

    Args:
        student: The student; it has to show its features as ``logits_and_map`` takes them.
        teacher_shapes: The shape of each teacher's map, without the batch.
        inputs: Any images of the right size, (B, channels, height, width).
        seed: Of the regressors' weights; the caller's random state stays as it was.
        rectified: Whether a ReLU ends each regressor.

    Raises:
        FeatureError: If the student shows no features, or there is no teacher's map to match.

    Attributes:
        student: The student.
        regressors: One for each teacher.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher_shapes: Sequence[MapShape],
        inputs: Inputs,
        seed: int,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        if not teacher_shapes:
            raise FeatureError(
                "there is no teacher's feature map to match: batches must hold teacher_features, "
                "or match logits alone (features_weight 0)"
            )
        self.student = student
        self._own = own = map_shape(student, inputs)
        self._sizes = [(min(own[1], h), min(own[2], w)) for _, h, w in teacher_shapes]
        self._channels = [channels for channels, _, _ in teacher_shapes]
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would reseed the caller's GPUs as well.
            torch.default_generator.manual_seed(seed)
            self.regressors = nn.ModuleList(
                _regressor(own[0], channels, rectified) for channels in self._channels
            )
        self.regressors.to(next(student.parameters()).device)

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps images (B, channels, height, width) to all outputs, (B, C + D); see ``split``."""
        logits, features = logits_and_map(self.student, inputs)
        adapted = [
            regressor(_pooled(features, size))
            for regressor, size in zip(self.regressors, self._sizes, strict=True)
        ]
        return torch.cat([part.flatten(1) for part in (logits, features, *adapted)], dim=1)

    def split(self, outputs: Tensor) -> StudentOutputs:
        """Returns the parts of outputs (B, C + D), as views of them."""
        own = self._own
        sizes = [own[0] * own[1] * own[2]]
        sizes += [c * h * w for c, (h, w) in zip(self._channels, self._sizes, strict=True)]
        classes = outputs.shape[1] - sum(sizes)
        logits, features, *adapted = outputs.split([classes, *sizes], dim=1)
        return StudentOutputs(
            logits,
            features.unflatten(1, own),
            tuple(
                part.unflatten(1, (channels, *size))
                for part, channels, size in zip(adapted, self._channels, self._sizes, strict=True)
            ),
        )


def mean_squares(
    teacher_features: Sequence[Tensor], group: dist.ProcessGroup | None = None
) -> Tensor:
    """Returns the mean square of each teacher's features over a batch, (K,).

    Args:
        teacher_features: The teachers' maps, (B, c_k, h_k, w_k).
        group: The ranks of a DDP student, each of which has its share of the batch.
    """
    squares = torch.stack(
        [at_least_float32(each.detach()).square().mean() for each in teacher_features]
    )
    found: Tensor = mean_over_ranks({"squares": squares}, group)["squares"]
    return found


def feature_distances(
    adapted: Sequence[Tensor], teacher_features: Sequence[Tensor], units: Tensor | None = None
) -> Tensor:
    """Returns how far a student's adapted maps are from its teachers', (B, K).

    Each is a mean of squares over a sample's map, the teacher's pooled to the size of the adapted.

    Args:
        adapted: Of each teacher, (B, c_k, h_k, w_k).
        teacher_features: The teachers' maps, at least as high and wide; no gradient flows back.
        units: What to measure each teacher's distance in, (K,), for example ``mean_squares``, so
            that no teacher counts more because its features are larger; None leaves them as they
            are.

    Raises:
        FeatureError: If a map's channels are not those of its teacher.
    """
    distances = []
    for student, teacher in zip(adapted, teacher_features, strict=True):
        if student.shape[1] != teacher.shape[1]:
            raise FeatureError(
                f"a regressor gives {student.shape[1]} channels and its teacher "
                f"{teacher.shape[1]}: the teachers must stand in the order of the first batch"
            )
        target = _pooled(teacher.detach(), (student.shape[2], student.shape[3]))
        distances.append((student - target).square().flatten(1).mean(dim=1))
    stacked = torch.stack(distances, dim=1)
    if units is None:
        return stacked
    return stacked / units.clamp_min(torch.finfo(units.dtype).tiny)


def _regressor(channels: int, teacher_channels: int, rectified: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, teacher_channels, 1)]
    layers.append(nn.BatchNorm2d(teacher_channels))
    if rectified:
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def _pooled(features: Tensor, size: tuple[int, int]) -> Tensor:
    if features.shape[2:] == size:
        return features
    return F.adaptive_avg_pool2d(features, size)

"""Distillation as the usual repositories write it: PIL images, a DataLoader, a live teacher."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

WORKERS = 2
TAU, ALPHA = 4.0, 0.9


class PilImages(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's CIFAR datasets hand them out."""

    def __init__(
        self, images: NDArray, labels: NDArray, transform: Callable[[Image.Image], Tensor]
    ) -> None:
        self._images = images.transpose(0, 2, 3, 1)
        self._labels = labels.tolist()
        self._transform = transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), self._labels[index]


def plain_loop(
    images: NDArray,
    labels: NDArray,
    statistics: tuple[NDArray, NDArray],
    student: nn.Module,
    teacher: nn.Module,
    augmentation: str,
    batch: int,
    steps: int,
) -> Callable[[], None]:
    """Returns a function that takes the steps; its workers are running before it is called.

    Args:
        images: (n, C, H, W) uint8.
        labels: (n,).
        statistics: Mean and standard deviation by channel.
        student: Learns.
        teacher: Is asked at each step.
        augmentation: "none", "standard" or "strong".
        batch: Samples a step.
        steps: How many.
    """
    crop = [
        transforms.RandomCrop(images.shape[-1], padding=images.shape[-1] // 8),
        transforms.RandomHorizontalFlip(),
    ]
    augment = {"none": [], "standard": crop, "strong": [*crop, transforms.RandAugment()]}
    normalise = transforms.Normalize(*(values.tolist() for values in statistics))
    transform = transforms.Compose([*augment[augmentation], transforms.ToTensor(), normalise])
    student, teacher = (
        model.to(memory_format=torch.contiguous_format) for model in (student, teacher)
    )
    student.train()
    teacher.eval()
    optimiser = torch.optim.SGD(
        student.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    loader = DataLoader(
        PilImages(images, labels, transform),
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        multiprocessing_context="fork",
    )
    stream = iter(loader)

    def take_steps() -> None:
        for _ in range(steps):
            x, y = next(stream)
            with torch.no_grad():
                teacher_logits = teacher(x)
            logits = student(x)
            kd = F.kl_div(
                F.log_softmax(logits / TAU, dim=1),
                F.softmax(teacher_logits / TAU, dim=1),
                reduction="batchmean",
            )
            loss = (1 - ALPHA) * F.cross_entropy(logits, y) + ALPHA * TAU**2 * kd
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    next(stream)
    return take_steps

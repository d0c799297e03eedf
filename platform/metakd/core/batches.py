"""What the training loop consumes: batches of inputs, labels and the teachers' logits."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

from torch import Tensor

Inputs = Tensor | Mapping[str, Tensor]
"""What a model takes as its one argument: a tensor (B, ...), or several by name."""


class Batch(NamedTuple):
    """One batch of B samples.

    Attributes:
        inputs: Normalised images, (B, channels, height, width), float; or whatever else the models
            take, for example token ids and their mask by name, each (B, ...).
        labels: Class indices, (B,), int64, or class probabilities, (B, C), as mixup makes them.
        teacher_logits: The teacher's logits on these very inputs, (B, C); None where no teacher, or
            several, are used.
        ensemble_logits: Those of K teachers, (B, K, C); None with one teacher or none.
        teacher_features: The last feature map of each of K teachers, (B, channels, height, width),
            a vector being a map of one place; empty where features are not used.
    """

    inputs: Inputs
    labels: Tensor
    teacher_logits: Tensor | None
    ensemble_logits: Tensor | None = None
    teacher_features: tuple[Tensor, ...] = ()

    @property
    def classes(self) -> Tensor:
        """The class of each sample, (B,), int64: where labels are probabilities, the largest."""
        return self.labels if self.labels.dim() == 1 else self.labels.argmax(dim=1)

    def first(self, samples: int) -> "Batch":
        """Returns the batch's first so many samples."""
        return self.each(lambda tensor: tensor[:samples])

    def each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Returns the batch with each of its tensors changed."""
        one, several = self.teacher_logits, self.ensemble_logits
        return Batch(
            changed(self.inputs, change),
            change(self.labels),
            None if one is None else change(one),
            None if several is None else change(several),
            tuple(change(features) for features in self.teacher_features),
        )

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors that it holds, in one order."""
        logits = (self.teacher_logits, self.ensemble_logits)
        given = [tensor for tensor in logits if tensor is not None]
        inputs = self.inputs
        named = [inputs] if isinstance(inputs, Tensor) else list(inputs.values())
        return [*named, self.labels, *given, *self.teacher_features]


def changed(inputs: Inputs, change: Callable[[Tensor], Tensor]) -> Inputs:
    """Returns a model's inputs with each of their tensors changed."""
    if isinstance(inputs, Tensor):
        return change(inputs)
    return {name: change(tensor) for name, tensor in inputs.items()}


class Upcoming:
    """Batches one after another, with a look at those that come after.

    Args:
        batches: The batches.
    """

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._seen: deque[Batch] = deque()

    def __iter__(self) -> Iterator[Batch]:
        """Yields every batch once."""
        while self.peek(1):
            yield self._seen.popleft()

    def peek(self, count: int) -> list[Batch]:
        """Returns the next so many batches, fewer where they end; they are still to come."""
        self._seen.extend(islice(self._batches, max(0, count - len(self._seen))))
        return list(islice(self._seen, count))


class TrainingBatches(Protocol):
    """The batches of a run, the same at every call."""

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields the batches of epoch 0, 1, ... in order."""


class MetaBatches(Protocol):
    """The held-out batches that judge a look-ahead."""

    def at(self, step: int) -> Batch:
        """Returns the meta batch of a training step."""

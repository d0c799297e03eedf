"""What every way to teach a student is, what chooses it, and what all that look ahead share."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.lookahead import TakenStep
from metakd.core.lookahead.estimators import load_forward_rules
from metakd.core.lookahead.look_aheads import LookAheads, MetaData, MetaStep, StepMemory
from metakd.core.losses import Losses
from metakd.core.teacher_weights.tally import TeacherWeights as TeacherWeights


class Distiller(ABC):
    """Teaches a student: a loss at its logits, and perhaps look-aheads after some of its steps.

    Attributes:
        meta_data: What judges a look-ahead: the next training batch, of a pilot the batch that it
            begins with; or held-out samples. None where the distiller has samples of its own for
            it, and is given the batch just trained on.
    """

    meta_data: MetaData | None = "train"

    @abstractmethod
    def loss(self, outputs: Tensor, batch: Batch) -> Losses:
        """Returns the loss that the student descends on this batch.

        Args:
            outputs: What the module that ``extend`` returned gives: logits (B, C), perhaps with
                more columns behind them.
            batch: The batch.
        """

    def extend(self, student: nn.Module, example: Batch, seed: int) -> nn.Module:
        """Returns what is trained: the student, with what else the method trains beside it.

        It is called once, before the optimiser is made and before DDP wraps what it returns.

        Args:
            student: The student, which maps inputs to logits (B, C).
            example: Any batch of the training, the whole of this rank's share; only its shapes
                matter.
            seed: Of new weights; the caller's random state stays as it was.

        Raises:
            FeatureError: If the method matches features, and a model has none.
        """
        return student

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:  # noqa: B027 - most learn nothing else
        """Learns beside this student: on its device, and with the ranks of a DDP module.

        Args:
            student: What ``extend`` returned, perhaps in DDP.
            optimiser: What moves it.
        """

    def start_epoch(self, epoch: int, epochs: int) -> None:  # noqa: B027 - most need not know
        """Begins an epoch: what changes along the run is a function of these two.

        A training that goes on from a checkpoint begins at any of them, and in the middle of none.

        Args:
            epoch: 0, 1, ...
            epochs: How many the whole run has.
        """

    def take_teacher(self, teacher: nn.Module) -> None:
        """Takes the teacher that it changes, before ``attach``.

        Raises:
            TeacherError: If it has no trainable parameters.
        """
        raise NotImplementedError(f"{type(self).__name__} changes no teacher")

    def after_step(self, lr: float) -> None:  # noqa: B027 - most learn nothing else
        """Moves what is learned by the gradient that the student's own backward pass left behind.

        Args:
            lr: The learning rate of the student's step, just taken.
        """

    @property
    def teacher(self) -> nn.Module | None:
        """The teacher as it stands, where the method changes it."""
        return None

    def temperatures(self) -> tuple[float, float] | None:
        """Returns (τ_s, τ_t) as they stand, None where the method has none."""
        return None

    def teacher_weights(self) -> tuple[TeacherWeights, ...]:
        """Returns how much each teacher counted since ``start_epoch``, the same on all ranks."""
        return ()

    def remembers(self, step: int) -> bool:
        """Whether a look-ahead will need the step."""
        return False

    def remember(self, step: TakenStep, batch: Batch) -> None:
        """Takes a step that a look-ahead will need, just taken on a batch."""
        raise NotImplementedError(f"{type(self).__name__} takes no look-aheads")

    def holds_steps(self, step: int) -> bool:
        """Whether a look-ahead still to come, at ``step`` or later, needs steps before it."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Returns what is learned beside the student; empty where nothing is."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most have none
        """Takes what was learned beside the student."""

    def pilot_batches(self, step: int) -> int:
        """Returns over how many of the next batches a pilot goes before the step; 0 for none."""
        return 0

    def pilot_step(self, batches: Sequence[Batch], quiz: Batch) -> MetaStep:
        """Tries steps and takes them back, to move what is meta-learned before the student's own.

        Args:
            batches: The training batches that come next, from the step's own on.
            quiz: The samples that judge the steps.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no pilots")

    def is_meta_step(self, step: int) -> bool:
        """Whether a look-ahead follows the step."""
        return False

    def meta_samples(self, batch: Batch) -> int:
        """Returns how many samples judge a look-ahead at steps of such a batch."""
        return len(batch.labels)

    def meta_step(self, meta_batch: Batch) -> MetaStep:
        """Moves what is meta-learned, after the student's own step.

        Args:
            meta_batch: The samples that judge the steps remembered last.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no look-aheads")


@dataclass(frozen=True)
class DistillerConfig(ABC):
    """Chooses a way to teach: a frozen dataclass whose fields are part of a trial's content.

    Everything that a method needs of its trial is declared here, so that nothing around it has to
    know which method it is. The defaults are those of a method that learns nothing beside the
    student and reads the logits of one teacher.

    Where published code exists, ``reference()`` returns what it does, faults included, and the
    defaults are the same method with its faults mended; the class says what differs.

    Attributes:
        method: Its name in results.
        version: Of its algorithm, 1, 2, ...: raised with every change of what it computes.
        uses_teacher: Whether batches must hold the teacher's logits.
        takes_several: Whether they hold those of several teachers at once.
        moves_teacher: Whether it changes its teacher, by ``Distiller.take_teacher``.
    """

    method: ClassVar[str]
    version: ClassVar[int]
    uses_teacher: ClassVar[bool] = True
    takes_several: ClassVar[bool] = False
    moves_teacher: ClassVar[bool] = False

    @abstractmethod
    def build(self) -> Distiller:
        """Returns the distiller."""

    @property
    def min_classes(self) -> int:
        """The fewest classes with which all of its loss teaches something."""
        return 2

    @property
    def unused_fields(self) -> Collection[str]:
        """Fields that have no effect as configured."""
        return ()

    @property
    def uses_features(self) -> bool:
        """Whether batches must hold the teachers' features."""
        return False

    @property
    def reads_whole_batches(self) -> bool:
        """Whether it cannot be taught on shares of a batch."""
        return False

    @property
    def learns_from_held_out(self) -> bool:
        """Whether held-out samples judge its look-aheads."""
        return False

    def require_batch(self, batch_size: int) -> None:  # noqa: B027 - most take any
        """Raises ``DrawError`` where batches of this size are too large for it."""

    def samples_of(self, batch_size: int) -> int:
        """Returns how many samples of a batch a look-ahead passes again; 0 without look-aheads."""
        return 0

    def is_frozen(self, epoch: int, epochs: int) -> bool:
        """Whether it has no look-aheads in epoch 0, 1, ... of a run of so many."""
        return False

    def look_ahead_equivalents(self, steps: int, batch_size: int) -> float:
        """Returns what its look-aheads cost, in forward and backward passes of a training batch."""
        return 0.0

    def teacher_passes(self, steps: int, batch_size: int) -> float:
        """Returns what they cost of the teacher, in its forward passes of a training batch."""
        return 0.0

    def prefixes(self) -> "Iterator[tuple[DistillerConfig, int]]":
        """Yields what teaches alike in the first epochs, and in how many; the longest first."""
        yield from ()


class LookingAhead(Distiller):
    """Remembers the steps that its look-aheads reach back over, as their configuration times them.

    Args:
        look_aheads: When they come, and how much they pass again.
    """

    def __init__(self, look_aheads: LookAheads) -> None:
        self.meta_data = look_aheads.meta_data
        self._look_aheads = look_aheads
        if look_aheads.estimator == "jvp":
            # Else a process's first trial would be charged for it.
            load_forward_rules()
        self._memory: StepMemory[TakenStep] = StepMemory(look_aheads)

    def remembers(self, step: int) -> bool:
        """Whether it is one of the last ``horizon`` steps before a look-ahead."""
        return self._memory.wants(step)

    def holds_steps(self, step: int) -> bool:
        """Whether the next look-ahead reaches back behind the step."""
        return self._memory.reaches_behind(step)

    def is_meta_step(self, step: int) -> bool:
        """Whether it is every ``interval``-th step."""
        return self._memory.is_due(step)

    def meta_samples(self, batch: Batch) -> int:
        """Returns the share of the batch that a look-ahead passes again."""
        return self._look_aheads.samples_of(len(batch.labels))

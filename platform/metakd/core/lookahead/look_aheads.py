"""When look-aheads come, how much they pass again, and what they leave behind."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar, get_args

from torch import Tensor

from metakd.core.lookahead import Estimator

# What the pass along the look-ahead's direction takes, as measured on ResNet-20
# (tests/benchmarks/meta_step.py, one CPU core, batch 64), rounded. Counted in operations a pass of
# dual numbers is two forward passes, 2/3; PyTorch does it in more and smaller ones.
PASS_EQUIVALENTS: dict[Estimator, float] = {
    "jvp": 1.25,
    "finite_difference": 1.0,
    "double_backward": 4.0,
}
# The same pass with a Hessian product, as measured on ResNet-8x4
# (tests/benchmarks/teacher_weights_step.py, likewise); a finite difference takes two passes for it.
HESSIAN_EQUIVALENTS: dict[Estimator, float] = {
    "jvp": 4.0,
    "finite_difference": 2.0,
    "double_backward": 4.0,
}
MetaData = Literal["train", "held_out"]
Step = TypeVar("Step")


def reverse_equivalents(estimator: Estimator, steps: int) -> float:
    """Returns the cost of going back through so many steps, in passes of one step's samples."""
    return PASS_EQUIVALENTS[estimator] + (steps - 1) * HESSIAN_EQUIVALENTS[estimator]


class MetaStep(NamedTuple):
    """The result of a look-ahead.

    Attributes:
        meta_loss: M(θ'), scalar.
        gradient: dM/d(log τ_s, log τ_t), of a common relative change of all temperatures, (2,);
            None where no temperature is learned.
        step_equivalents: Its cost, in forward and backward passes of one training batch.
        is_skipped: Whether it moved nothing, because M or its gradient was not finite.
        before: The same loss at θ, scalar; None where it was not taken.
    """

    meta_loss: Tensor
    gradient: Tensor | None
    step_equivalents: float
    is_skipped: bool
    before: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class LookAheads:
    """How often the student's own steps are looked back at, and how much of each is passed again.

    Whatever is meta-learned is configured by a subclass.
    """

    interval: int = 8
    """A look-ahead follows every so many steps of the student."""
    meta_fraction: float = 0.25
    """Share of the training batch that the look-ahead passes once more, in (0, 1]; the metakd loop
    takes meta batches of the same size, or of as many held-out samples as there are."""
    horizon: int = 1
    """Steps of the student that a look-ahead reaches back over, 1 to 5; each beyond the first costs
    a Hessian product, about four passes of the look-ahead's share."""
    meta_data: MetaData = "train"
    """What judges a look-ahead in the metakd loop: the next training batch, or held-out samples,
    the same ones that choose among trials."""
    estimator: Estimator = "jvp"
    """How the look-ahead is differentiated; jvp and double_backward are exact, jvp is cheap."""

    def __post_init__(self) -> None:
        require(self.interval >= 1, "interval must be at least 1", "interval", self.interval)
        require(
            0 < self.meta_fraction <= 1,
            "meta_fraction must be in (0, 1]",
            "meta_fraction",
            self.meta_fraction,
        )
        require(1 <= self.horizon <= 5, "horizon must be 1 to 5", "horizon", self.horizon)
        require_one_of("meta_data", self.meta_data, get_args(MetaData))
        require_one_of("estimator", self.estimator, get_args(Estimator))

    @property
    def learns_from_held_out(self) -> bool:
        """Whether held-out samples judge the look-aheads."""
        return self.meta_data == "held_out"

    def samples_of(self, batch_size: int) -> int:
        """Returns how many samples of a batch a look-ahead sees; BatchNorm needs two."""
        return min(batch_size, max(2, round(self.meta_fraction * batch_size)))

    def look_aheads(self, steps: int) -> int:
        """Returns how many look-aheads a run of so many steps has."""
        return max(0, 1 + (steps - self.horizon) // self.interval)

    def step_equivalents(self, batch_size: int, meta_samples: int) -> float:
        """Returns what one look-ahead costs, in forward and backward passes of a training batch.

        Args:
            batch_size: Samples of a training batch, B.
            meta_samples: Samples that the meta loss is taken over.
        """
        share = self.samples_of(batch_size) / batch_size
        return meta_samples / batch_size + share * reverse_equivalents(self.estimator, self.horizon)

    def look_ahead_equivalents(self, steps: int, batch_size: int) -> float:
        """Returns what all look-aheads of a run of so many steps cost, in the same passes."""
        return self.look_aheads(steps) * self.step_equivalents(
            batch_size, self.samples_of(batch_size)
        )

    def remembers(self, step: int) -> bool:
        """Says whether step 0, 1, ... belongs to a look-ahead, and has to be remembered."""
        return (self.horizon - 1 - step) % self.interval < self.horizon

    def is_due(self, step: int) -> bool:
        """Says whether a look-ahead follows step 0, 1, ..."""
        return step >= self.horizon - 1 and (self.horizon - 1 - step) % self.interval == 0

    def look_ahead_after(self, step: int) -> int:
        """Returns the first step, this one or later, that a look-ahead follows."""
        first = max(step, self.horizon - 1)
        return first + (self.horizon - 1 - first) % self.interval


class StepMemory(Generic[Step]):
    """The last steps of the student that a look-ahead reaches back over, and when one follows.

    Args:
        timing: When look-aheads come, and over how many steps.
    """

    def __init__(self, timing: LookAheads) -> None:
        self._timing = timing
        self._steps: deque[Step] = deque(maxlen=timing.horizon)

    def wants(self, number: int) -> bool:
        """Whether step 0, 1, ... is one of those that the next look-ahead reaches back over."""
        return self._timing.remembers(number)

    def is_due(self, number: int) -> bool:
        """Whether a look-ahead follows step 0, 1, ..."""
        return self._timing.is_due(number)

    def reaches_behind(self, number: int) -> bool:
        """Whether the next look-ahead, after this step or a later one, needs steps before it."""
        return self._timing.look_ahead_after(number) - self._timing.horizon + 1 < number

    def add(self, step: Step) -> None:
        """Remembers a step, just taken, and forgets the oldest of more than the horizon."""
        self._steps.append(step)

    def clear(self) -> None:
        """Forgets all: the steps of a look-ahead follow each other."""
        self._steps.clear()

    @property
    def is_full(self) -> bool:
        """Whether all steps of a look-ahead are there."""
        return len(self._steps) == self._timing.horizon

    @property
    def steps(self) -> list[Step]:
        """The steps, oldest first."""
        return list(self._steps)


def require(holds: bool, rule: str, name: str, value: object) -> None:
    """Raises ``ValueError`` with the rule and the value of a field, unless it holds."""
    if not holds:
        raise ValueError(f"{rule}, got {name}={value}")


def require_one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises ``ValueError`` unless the value of a field is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {name}={value!r}")

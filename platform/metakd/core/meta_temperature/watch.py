"""Listens to a student and its optimiser, so that a loop need not call anything before a step."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from operator import attrgetter, itemgetter
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.optim import Optimizer

from metakd.core.batches import Inputs
from metakd.core.hypergradient import LogitsOf, TakenStep, inner_optimiser
from metakd.core.hypergradient.taken_step import as_it_is

if TYPE_CHECKING:
    from metakd.core.meta_temperature.module import MetaTemperature

_logger = logging.getLogger(__name__)
MARK = "metakd"
"""Under this name a node of the autograd graph holds the pass that made it."""
CASTS = frozenset({"ToCopyBackward0"})
REACH = 64
"""Nodes between the loss's logits and what the student returned that are looked through."""
UNANSWERED = 3
"""Look-aheads that were due before it is said that nobody took them."""


@dataclass(frozen=True)
class Pass:
    """A pass of the student with a graph: perhaps the one whose logits enter the loss.

    Attributes:
        number: Steps of the student before it.
        step: What has to be remembered from before it.
        arguments: What the student was called with.
        keywords: The names of what it was called with by name.
        returned: Takes the student's outputs to each differentiable tensor in them.
        precision: Whether autocast was on, and its type.
    """

    number: int
    step: TakenStep
    arguments: tuple[Any, ...]
    keywords: tuple[str, ...]
    returned: tuple[LogitsOf, ...]
    precision: tuple[bool, torch.dtype]


class Answered(NamedTuple):
    """The pass whose logits entered the loss, and what else the loss was computed from."""

    made_by: Pass
    teacher_logits: Tensor
    labels: Tensor


class Taken(NamedTuple):
    """A step of the student that a look-ahead looks back at, and its batch."""

    step: TakenStep
    inputs: Inputs
    teacher_logits: Tensor
    labels: Tensor


class Watch:
    """Remembers the steps of a student that the look-aheads of a ``MetaTemperature`` need.

    Each pass marks the graph of what it returns, so that the loss's logits lead back to their pass
    and its inputs, whatever other passes a step has; a pass lives as long as its graph. With
    gradients accumulated over several passes, the last of them stands for the step: its part of the
    batch is as good a sample as any other.

    Args:
        temperature: Whose steps are counted.
        student: The module that the loop calls.
        optimiser: The optimiser that moves it.
        output: Takes what the student returns to the logits of the loss; None finds them.
    """

    def __init__(
        self,
        temperature: "MetaTemperature",
        student: nn.Module,
        optimiser: Optimizer,
        output: LogitsOf | None = None,
    ) -> None:
        optimiser = inner_optimiser(optimiser)
        TakenStep(student, optimiser)  # refuses here what it would refuse at the first step
        self._temperature = temperature
        self._student = student
        self._optimiser = optimiser
        self._output = output
        self._device = next(student.parameters()).device.type
        self._begun: TakenStep | None = None
        self._answered: Answered | None = None
        self._precision = (False, torch.get_autocast_dtype(self._device))
        self._taken: deque[Taken] = deque(maxlen=temperature.config.horizon)
        self._was_due = False
        self._is_looking_back = False
        self._unseen = _Unseen()
        self._hooks = [
            student.register_forward_pre_hook(self._before_forward),
            student.register_forward_hook(self._after_forward, with_kwargs=True),
            optimiser.register_step_post_hook(self._after_step),
        ]
        student.__getstate__ = MethodType(_state_without_watches, student)  # type: ignore[method-assign]

    @property
    def is_due(self) -> bool:
        """Whether the step just taken ends a look-ahead that has not been looked at."""
        return self._was_due

    def saw_loss(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> None:
        """Takes what a loss is computed from, and finds the pass that gave the logits.

        Raises:
            TypeError: If, before the first step, that pass cannot be repeated.
            ValueError: If, before the first step, it cannot be seen how its logits come from what
                the student returned.
        """
        self._unseen.losses += 1
        if self._is_looking_back or not self._temperature.config.remembers(self._temperature.steps):
            return
        try:
            answered = self._answered_by(student_logits)
        except (TypeError, ValueError) as error:
            if self._temperature.steps == 0:
                raise
            self._unseen.reason = str(error)
            return
        if answered is not None:
            self._answered = Answered(answered, teacher_logits, labels)

    def take(self) -> list[TakenStep]:
        """Returns the remembered steps, completed, and forgets them."""
        self._was_due = False
        steps = [self._temperature.complete(*taken) for taken in self._taken]
        self._taken.clear()
        return steps

    @contextmanager
    def looking_back(self) -> Iterator[None]:
        """Keeps the autocast of the student's last training pass, and counts no pass inside."""
        enabled, dtype = self._precision
        self._is_looking_back = True
        try:
            with torch.autocast(self._device, dtype=dtype, enabled=enabled):
                yield
        finally:
            self._is_looking_back = False

    def end(self) -> None:
        """Stops listening."""
        for hook in self._hooks:
            hook.remove()
        if not any(_is_watching(hook) for hook in self._student._forward_hooks.values()):
            self._student.__dict__.pop("__getstate__", None)

    @torch.compiler.disable
    def _before_forward(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self._begun = None
        if self._is_looking_back or not torch.is_grad_enabled():
            return
        self._unseen.passes += 1
        if self._temperature.config.remembers(self._temperature.steps):
            self._begun = TakenStep(self._student, self._optimiser)

    @torch.compiler.disable
    def _after_forward(
        self,
        module: nn.Module,
        arguments: tuple[Any, ...],
        keywords: Mapping[str, Any],
        returned: Any,  # noqa: ANN401 - what a student returns
    ) -> None:
        step, self._begun = self._begun, None
        if step is None:
            return
        leaves = [
            (path, tensor) for path, tensor in _tensors(returned) if tensor.grad_fn is not None
        ]
        made = Pass(
            number=self._temperature.steps,
            step=step,
            arguments=tuple(_detached(argument) for argument in arguments),
            keywords=tuple(sorted(keywords)),
            returned=tuple(path for path, _ in leaves),
            precision=(
                torch.is_autocast_enabled(self._device),
                torch.get_autocast_dtype(self._device),
            ),
        )
        for index, (_, tensor) in enumerate(leaves):
            assert tensor.grad_fn is not None
            marks = _marks_of(tensor.grad_fn)
            marks[id(self), tensor.output_nr] = (made, index)

    def _after_step(self, optimiser: Optimizer, args: object, kwargs: object) -> None:
        answered, self._answered = self._answered, None
        if answered is not None and not answered.made_by.step.is_taken:
            return  # a GradScaler found an overflow, and a fused optimiser moved nothing
        step, config = self._temperature.steps, self._temperature.config
        self._temperature.steps += 1
        self._unseen.unanswered += self._was_due
        self._was_due = False
        if answered is not None:
            made = answered.made_by
            self._precision = made.precision
            self._taken.append(
                Taken(made.step, made.arguments[0], answered.teacher_logits, answered.labels)
            )
            self._was_due = config.is_due(step) and len(self._taken) == config.horizon
            self._unseen.start_again()
        else:
            if config.remembers(step):
                self._taken.clear()  # a look-ahead's steps follow each other
            self._unseen.steps += 1
        self._unseen.say_if_due(config.interval, self._temperature)

    def _answered_by(self, logits: Tensor) -> Pass | None:
        """Returns the pass that the logits come from, None if none of this step's was seen.

        Raises:
            TypeError: If that pass cannot be repeated.
            ValueError: If it cannot be seen how they come from what the student returned.
        """
        found = self._marked(logits)
        if found is None:
            return None
        made, index, is_direct = found
        if made.keywords or len(made.arguments) != 1 or not _is_inputs(made.arguments[0]):
            raise TypeError(
                "a watched student takes one positional argument, a tensor or a mapping of "
                "tensors, so that a look-ahead can pass it again, got "
                f"{[type(argument).__name__ for argument in made.arguments]} and the keywords "
                f"{list(made.keywords)}: wrap it in a module that maps one tensor to logits"
            )
        if self._output is not None:
            made.step.logits_of = self._output
        elif not is_direct:
            raise ValueError(
                f"the logits {tuple(logits.shape)} in the loss are computed from what the student "
                "returned, and a look-ahead has to do the same: say how, watch(student, optimiser, "
                "output=lambda returned: ...)"
            )
        else:
            made.step.logits_of = made.returned[index]
        return made

    def _marked(self, logits: Tensor) -> tuple[Pass, int, bool] | None:
        """Finds the pass of this step that the logits come from.

        Returns:
            The pass, which of its tensors they come from, and whether they are that tensor itself,
            but for its precision.
        """
        edges: list[tuple[Node | None, int, bool]] = [(logits.grad_fn, logits.output_nr, True)]
        for _ in range(REACH):
            if not edges:
                return None
            node, number, is_direct = edges.pop(0)
            if node is None:
                continue
            mark = _marks_of(node).get((id(self), number))
            if mark is not None and mark[0].number == self._temperature.steps:
                return *mark, is_direct
            is_cast = node.name() in CASTS
            edges += [(n, nr, is_direct and is_cast) for n, nr in node.next_functions]
        return None


class _Unseen:
    """Counts what a loop does without being seen, and says once that nothing is learned."""

    def __init__(self) -> None:
        self.unanswered = 0
        self._is_said = False
        self.start_again()

    def start_again(self) -> None:
        self.steps = self.passes = self.losses = 0
        self.reason = ""

    def say_if_due(self, interval: int, temperature: "MetaTemperature") -> None:
        if self._is_said:
            return
        if self.steps > interval:
            self._say(f"in the last {self.steps} steps {self._why()}", temperature)
        elif self.unanswered >= UNANSWERED and temperature.meta_steps + temperature.skipped == 0:
            self._say(
                f"{self.unanswered} look-aheads were due and meta_step was not called: call "
                "meta_step(inputs, labels) where is_due is true",
                temperature,
            )

    def _why(self) -> str:
        if self.reason:
            return f"no pass could be repeated: {self.reason}"
        if self.losses == 0:
            return "temps.loss was given no logits that carry a gradient: train by temps.loss"
        if self.passes == 0:
            return (
                "the watched student was not called: call it as student(inputs), not its forward "
                "or parts of it, or watch the module that is called"
            )
        return (
            "the logits in temps.loss came from no pass of the watched student in that step: call "
            "it as student(inputs), and give temps.loss what it returns"
        )

    def _say(self, why: str, temperature: "MetaTemperature") -> None:
        self._is_said = True
        _logger.warning(
            "the temperatures are not being learned (they stand at %.3g and %.3g): %s",
            *temperature.temperatures,
            why,
        )


def _marks_of(node: Node) -> dict[tuple[int, int], tuple[Pass, int]]:
    """Returns the passes whose outputs a node computed, by watch and number of the output."""
    metadata: dict[str, Any] = node.metadata  # type: ignore[assignment]
    marks: dict[tuple[int, int], tuple[Pass, int]] = metadata.setdefault(MARK, {})
    return marks


def _tensors(returned: Any) -> Iterator[tuple[LogitsOf, Tensor]]:  # noqa: ANN401
    """Yields each tensor in a student's outputs, with the way to it."""
    if isinstance(returned, Tensor):
        yield as_it_is, returned
        return
    parts: list[Callable[[Any], Any]] = []
    if isinstance(returned, Mapping):
        parts = [itemgetter(key) for key in returned]
    elif isinstance(returned, list | tuple):
        parts = [itemgetter(index) for index in range(len(returned))]
    elif is_dataclass(returned):
        parts = [attrgetter(field.name) for field in fields(returned)]
    for part in parts:
        for rest, tensor in _tensors(part(returned)):
            yield partial(_through, part, rest), tensor


def _through(first: Callable[[Any], Any], then: LogitsOf, returned: Any) -> Tensor:  # noqa: ANN401
    return then(first(returned))


def _is_inputs(argument: object) -> bool:
    if isinstance(argument, Mapping):
        return all(isinstance(value, Tensor) for value in argument.values())
    return isinstance(argument, Tensor)


def _detached(argument: Any) -> Any:  # noqa: ANN401 - whatever a student is called with
    if isinstance(argument, Mapping):
        return {name: _detached(value) for name, value in argument.items()}
    return argument.detach() if isinstance(argument, Tensor) else argument


def _is_watching(hook: object) -> bool:
    return isinstance(getattr(hook, "__self__", None), Watch)


def _state_without_watches(student: nn.Module) -> dict[str, Any]:
    """Returns what copies and saved files have of a watched student: all but its watch.

    A watch holds the optimiser, and an average of weights or a checkpoint is not to carry it.
    """
    state = dict(type(student).__getstate__(student))
    state.pop("__getstate__", None)
    watching = {
        number
        for name in ("_forward_pre_hooks", "_forward_hooks")
        for number, hook in state[name].items()
        if _is_watching(hook)
    }
    for name, table in state.items():
        if "_hooks" in name and isinstance(table, OrderedDict):
            kept = ((number, hook) for number, hook in table.items() if number not in watching)
            state[name] = OrderedDict(kept)
    return state

"""Hooks on a student and its optimiser, so that a loop need not call anything before a step."""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import changed
from metakd.core.lookahead import LogitsOf, TakenStep, inner_optimiser
from metakd.core.lookahead.look_aheads import StepMemory
from metakd.core.meta_temperature.marked_passes import Pass, detached, pass_of

if TYPE_CHECKING:
    from metakd.core.meta_temperature.module import MetaTemperature

_logger = logging.getLogger(__name__)
UNANSWERED = 3
"""So many look-aheads are due without a ``meta_step`` before the log says so."""


class Sources(NamedTuple):
    """What a loss was computed from: the student's pass, and copies of the rest."""

    made_by: Pass
    teacher_logits: Tensor
    labels: Tensor


class Watch:
    """Remembers the steps of a student that the look-aheads of a ``MetaTemperature`` need.

    With gradients accumulated over several passes, the last of them stands for the step: its part
    of the batch is as good a sample as any other.

    Args:
        temperature: Whose steps are counted.
        student: The module that the loop calls.
        optimiser: The optimiser that moves it.
        output: Takes what the student returns to the logits of the loss; None finds them there.
    """

    def __init__(
        self,
        temperature: "MetaTemperature",
        student: nn.Module,
        optimiser: Optimizer,
        output: LogitsOf | None = None,
    ) -> None:
        optimiser = inner_optimiser(optimiser)
        TakenStep(
            student, optimiser, is_hooked=False
        )  # refuses here what it would refuse at the first step
        self._temperature = temperature
        self._student = student
        self._optimiser = optimiser
        self._output = output
        self._device = next(student.parameters()).device.type
        self._begun: TakenStep | None = None
        self._sources: Sources | None = None
        self._precision = (False, torch.get_autocast_dtype(self._device))
        self._memory: StepMemory[TakenStep] = StepMemory(temperature.config)
        self._was_due = False
        self._is_looking_back = False
        self._unseen = Unseen(temperature)
        _keep_out_of_graphs()
        self._hooks = [
            student.register_forward_pre_hook(self._before_forward),
            student.register_forward_hook(self._after_forward, with_kwargs=True),
            optimiser.register_step_post_hook(self._after_step),
        ]
        # Not by setattr, which wrappers pass on to the module inside.
        student.__dict__["__getstate__"] = MethodType(_state_without_watches, student)

    @property
    def is_due(self) -> bool:
        """Whether the step just taken ends a look-ahead that has not been looked at."""
        return self._was_due

    def saw_loss(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> None:
        """Takes what a loss is computed from, and finds the pass that returned the logits.

        Raises:
            TypeError: If, before the first step, that pass cannot be repeated.
            ValueError: If, before the first step, it is not known how the logits come from what the
                student returned.
        """
        self._unseen.losses += 1
        steps = self._temperature.steps
        if self._is_looking_back or not self._memory.wants(steps):
            return
        found = pass_of(student_logits, (self, steps))
        if found is None:
            return
        made_by, way, is_direct = found
        try:
            made_by.step.logits_of = made_by.logits_of(student_logits.detach(), way, is_direct)
        except (TypeError, ValueError) as error:
            if steps == 0:
                raise
            self._unseen.reason = str(error)
        else:
            if self._sources is not None:
                self._sources.made_by.step.unhook()
            made_by.step.hook()
            self._sources = Sources(made_by, teacher_logits.clone(), labels.clone())

    def take(self) -> list[TakenStep]:
        """Returns the remembered steps, and forgets them."""
        self._was_due = False
        steps = self._memory.steps
        self._memory.clear()
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
        """Removes its hooks."""
        for hook in self._hooks:
            hook.remove()
        if not any(_is_watching(hook) for hook in self._student._forward_hooks.values()):
            self._student.__dict__.pop("__getstate__", None)

    def _before_forward(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self._begun = None
        is_training = torch.is_grad_enabled() and not torch.compiler.is_exporting()
        if self._is_looking_back or not is_training:
            return
        self._unseen.passes += 1
        if self._memory.wants(self._temperature.steps):
            self._begun = TakenStep(self._student, self._optimiser, is_hooked=False)

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
        enabled = torch.is_autocast_enabled(self._device)
        Pass(
            owner=(self, self._temperature.steps),
            step=step,
            arguments=tuple(detached(argument) for argument in arguments),
            keywords=tuple(sorted(keywords)),
            precision=(enabled, torch.get_autocast_dtype(self._device)),
            output=None if self._output is None else (self._output, self._logits(returned)),
        ).mark(returned)

    def _logits(self, returned: Any) -> Tensor | Exception:  # noqa: ANN401
        assert self._output is not None
        try:
            with torch.no_grad():
                return self._output(returned)
        except Exception as error:
            return error  # a pass beside those of the loss may return something else

    def _after_step(self, optimiser: Optimizer, args: object, kwargs: object) -> None:
        sources, self._sources = self._sources, None
        if sources is not None and not sources.made_by.step.is_taken:
            return  # a GradScaler found an overflow, and a fused optimiser moved nothing
        number = self._temperature.steps
        self._temperature.steps += 1
        self._unseen.unanswered += self._was_due
        self._was_due = False
        if sources is not None:
            self._remember(sources)
            self._was_due = self._memory.is_due(number) and self._memory.is_full
        else:
            if self._memory.wants(number):
                self._memory.clear()
            self._unseen.steps += 1
        self._unseen.say_if_due()

    def _remember(self, sources: Sources) -> None:
        made_by = sources.made_by
        step, inputs = made_by.step, made_by.arguments[0]
        self._precision = made_by.precision
        self._temperature.complete(step, inputs, sources.teacher_logits, sources.labels)
        # The loop may fill the same tensor with its next batch.
        step.inputs = changed(step.inputs, torch.clone)  # type: ignore[arg-type]
        self._memory.add(step)
        self._unseen.start_again()
        if step.is_displaced:
            self._unseen.say_displaced()


class Unseen:
    """Counts what a loop does without being seen, and says once that nothing is learned.

    Args:
        temperature: What is to be learned.

    Attributes:
        steps: Since the last one that was remembered.
        passes: Passes of the student with a graph, since then.
        losses: Losses with a graph, since then.
        reason: Why a pass could not be repeated; empty where none had to be refused.
        unanswered: Look-aheads that were due and not taken.
    """

    def __init__(self, temperature: "MetaTemperature") -> None:
        self._temperature = temperature
        self._said: set[str] = set()
        self.unanswered = 0
        self.start_again()

    def start_again(self) -> None:
        """Begins to count at a step that was remembered."""
        self.steps = self.passes = self.losses = 0
        self.reason = ""

    def say_if_due(self) -> None:
        """Says that nothing is learned, after an interval without a step that was seen."""
        temperature = self._temperature
        if self.steps > temperature.config.interval:
            self._say_unlearned(f"in the last {self.steps} steps {self._why()}")
        elif self.unanswered >= UNANSWERED and temperature.meta_steps + temperature.skipped == 0:
            self._say_unlearned(
                f"{self.unanswered} look-aheads were due and meta_step was not called: call "
                "meta_step(inputs, labels) where is_due is true"
            )

    def say_displaced(self) -> None:
        """Says that a step's gradient was not taken where the step began."""
        self._say_once(
            "displaced",
            "the student's parameters were changed between its pass and the optimiser's step, as "
            "sharpness-aware minimisation does: look-aheads take the gradient at the parameters "
            "that the step began from, so theirs is not exact",
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

    def _say_unlearned(self, why: str) -> None:
        tau_s, tau_t = self._temperature.temperatures
        self._say_once(
            "unlearned",
            "the temperatures are not being learned (they stand at "
            f"{tau_s:.3g} and {tau_t:.3g}): {why}",
        )

    def _say_once(self, kind: str, words: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            _logger.warning(words)


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


@cache
def _keep_out_of_graphs() -> None:
    """Has a compiled student call its hooks eagerly.

    As decorators they would import the compiler, which takes as long as PyTorch itself, into
    processes that compile nothing.
    """
    for name in ("_before_forward", "_after_forward"):
        setattr(Watch, name, torch.compiler.disable(getattr(Watch, name)))

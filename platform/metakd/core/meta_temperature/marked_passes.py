"""Passes of a student that can be found again from the logits which they returned.

A pass leaves a mark on the autograd node of each tensor that it returns, and lives as long as that
graph does. So the logits in a loss lead back to their own pass and its inputs, whatever other
passes the loop makes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from metakd.core.lookahead import LogitsOf, TakenStep
from metakd.core.lookahead.taken_step import as_it_is

MARK = "metakd"
CASTS = frozenset({"ToCopyBackward0"})
REACH = 64
"""Nodes between the loss's logits and what the student returned that are looked through."""


@dataclass(frozen=True)
class Pass:
    """A pass of the student with a graph.

    Attributes:
        owner: Who watches, and the number of steps that it had seen.
        step: What has to be remembered from before the pass.
        arguments: What the student was called with.
        keywords: The names of what it was called with by name.
        precision: Whether autocast was on, and its type.
        output: Takes what was returned to the logits, where the loop says how; with what came of it
            in this pass, or the error.
    """

    owner: tuple[object, int]
    step: TakenStep
    arguments: tuple[Any, ...]
    keywords: tuple[str, ...]
    precision: tuple[bool, torch.dtype]
    output: tuple[LogitsOf, Tensor | Exception] | None

    def mark(self, returned: Any) -> None:  # noqa: ANN401 - what a student returns
        """Leaves a mark on all tensors that it returned."""
        for way, tensor in _tensors(returned):
            if tensor.grad_fn is not None:
                _marks_of(tensor.grad_fn)[tensor.output_nr, self.owner[0]] = (self, way)

    def logits_of(self, logits: Tensor, way: LogitsOf, is_direct: bool) -> LogitsOf:
        """Returns what takes the student's outputs to the logits of a loss.

        Args:
            logits: Those of the loss, which come from this pass.
            way: To the tensor of the outputs that they come from.
            is_direct: Whether they are that tensor, but for its precision.

        Raises:
            TypeError: If the student takes arguments that a look-ahead cannot pass again.
            ValueError: If it is not known how they come from the outputs, or known wrongly.
        """
        inputs = self.arguments[0] if len(self.arguments) == 1 else None
        if self.keywords or not _is_inputs(inputs):
            kinds = [type(argument).__name__ for argument in self.arguments]
            raise TypeError(
                "a watched student takes one positional argument, a tensor or a mapping of "
                f"tensors, so that a look-ahead can pass it again, got {kinds} and the keywords "
                f"{list(self.keywords)}: wrap it in a module that maps one tensor to logits"
            )
        if self.output is not None:
            output, found = self.output
            if not isinstance(found, Tensor):
                raise ValueError(f"output= cannot take what the student returns: {found!r}")
            if found.shape != logits.shape or not torch.equal(found.to(logits.dtype), logits):
                raise ValueError(
                    f"output= gives other logits {tuple(found.shape)} than the loss has "
                    f"{tuple(logits.shape)}: let it do what the loop does"
                )
            return output
        if not is_direct:
            raise ValueError(
                f"the logits {tuple(logits.shape)} in the loss are computed from what the student "
                "returned, and a look-ahead has to do the same: say how, watch(student, optimiser, "
                "output=lambda returned: ...)"
            )
        return way


def pass_of(logits: Tensor, owner: tuple[object, int]) -> tuple[Pass, LogitsOf, bool] | None:
    """Finds the pass that logits come from.

    Args:
        logits: With their graph.
        owner: See ``Pass``; marks of others are passed over.

    Returns:
        The pass, the way to the tensor of its outputs that they come from, and whether they are
        that tensor, but for its precision; None where no pass is found.
    """
    edges: list[tuple[Node | None, int, bool]] = [(logits.grad_fn, logits.output_nr, True)]
    for _ in range(REACH):
        if not edges:
            return None
        node, number, is_direct = edges.pop(0)
        if node is None:
            continue
        found = _marks_of(node).get((number, owner[0]))
        if found is not None and found[0].owner == owner:
            return *found, is_direct
        is_cast = node.name() in CASTS
        edges += [(before, output, is_direct and is_cast) for before, output in node.next_functions]
    return None


def detached(argument: Any) -> Any:  # noqa: ANN401 - whatever a student is called with
    """Returns what a student was called with, without graphs."""
    if isinstance(argument, Mapping):
        return {name: detached(value) for name, value in argument.items()}
    return argument.detach() if isinstance(argument, Tensor) else argument


def _marks_of(node: Node) -> dict[tuple[int, object], tuple[Pass, LogitsOf]]:
    metadata: dict[str, Any] = node.metadata  # type: ignore[assignment]
    marks: dict[tuple[int, object], tuple[Pass, LogitsOf]] = metadata.setdefault(MARK, {})
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

"""From the meta loss back through the steps that led to it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.lookahead.estimators import (
    Direction,
    Estimate,
    Linearised,
    by_double_backward,
    by_finite_difference,
    by_jvp,
)
from metakd.core.lookahead.optimiser_step import State
from metakd.core.lookahead.passes import extra_passes
from metakd.core.lookahead.taken_step import NoStepError, TakenStep
from metakd.core.ranks import mean_over_ranks

Estimator = Literal["jvp", "double_backward", "finite_difference"]
Forward = Callable[[Any], Tensor]
MetaLoss = Callable[[Forward], Tensor]
ESTIMATORS: dict[Estimator, Estimate] = {
    "jvp": by_jvp,
    "double_backward": by_double_backward,
    "finite_difference": by_finite_difference,
}
_logger = logging.getLogger(__name__)
_warned_of_fallback: set[str] = set()


class LookAhead(NamedTuple):
    """What a meta loss after some steps says about them.

    Attributes:
        meta_loss: M(θ'), scalar.
        steps: The steps.
        passes: For each step, the student's pass along u = (∂θ'/∂g)ᵀ ∇M(θ'): to first order, a
            change δ of that step's gradient at the logits changes M(θ') by ⟨tangent, δ⟩.
    """

    meta_loss: Tensor
    steps: tuple[TakenStep, ...]
    passes: tuple[Linearised, ...]

    def gradients(
        self, phi: Sequence[Tensor], group: dist.ProcessGroup | None = None
    ) -> tuple[Tensor, ...]:
        """Returns dM/dφ: twice differentiated, but at (B, C) numbers only.

        Args:
            phi: The meta-parameters. They enter the steps' losses as functions of the logits.
            group: The ranks of a DDP student.
        """
        along = torch.zeros((), device=self.meta_loss.device)
        with torch.enable_grad():
            for step, linearised in zip(self.steps, self.passes, strict=True):
                logits = linearised.logits.detach().requires_grad_()
                (slope,) = torch.autograd.grad(step.loss(logits), logits, create_graph=True)
                along = along + (linearised.tangent * slope).sum()
            gradients = torch.autograd.grad(
                along, list(phi), allow_unused=True, materialize_grads=True
            )
        named = {str(index): gradient for index, gradient in enumerate(gradients)}
        return tuple(mean_over_ranks(named, group).values())


class Hypergradient(NamedTuple):
    """dM/dφ, one tensor for each meta-parameter, and the meta loss M(θ') itself (scalar)."""

    gradients: tuple[Tensor, ...]
    meta_loss: Tensor


def look_ahead(
    steps: Sequence[TakenStep],
    meta_loss: MetaLoss,
    estimator: Estimator = "jvp",
    group: dist.ProcessGroup | None = None,
) -> LookAhead:
    """Looks back from the meta loss of the student, which has just taken the steps.

    It moves nothing: no parameter, no gradient, no buffer, no random state but what the meta loss
    itself draws. Each module is in the mode that it had in the last step.

    Args:
        steps: Consecutive completed steps, oldest first; one is the usual look-ahead. With more,
            Hessian products and the optimiser's state carry the meta loss back between them.
        meta_loss: Takes a forward function of the student at θ' and returns the scalar M.
            BatchNorm normalises by batch statistics there and moves no running ones.
        estimator: ``jvp`` (exact, cheap), ``double_backward`` (exact, the reference) or
            ``finite_difference`` (three digits). An operator without a forward-mode rule turns
            ``jvp`` into ``finite_difference``, which the log says once.
        group: The ranks of a DDP student, each of which saw its share of every batch.

    Raises:
        NoStepError: If there is no step, or one was not completed.
    """
    if not steps or not all(step.is_complete for step in steps):
        raise NoStepError("a look-ahead needs completed steps: call TakenStep.complete first")
    student, parameters = steps[-1].student, steps[-1].parameters
    passes: list[Linearised] = []
    with extra_passes(steps[-1]):
        with torch.enable_grad():
            value = meta_loss(student)
            slopes = torch.autograd.grad(
                value, list(parameters.values()), allow_unused=True, materialize_grads=True
            )
        theta_bar = mean_over_ranks(dict(zip(parameters, slopes, strict=True)), group)
        state_bar: dict[str, State] = {}
        for step in reversed(steps):
            direction, theta_bar, state_bar = _pull_back(step, theta_bar, state_bar)
            passes.append(_linearise(step, direction, step is not steps[0], estimator))
            product = passes[-1].hessian_product
            if product is not None:
                product = mean_over_ranks(product, group)
                theta_bar = {name: bar + product[name] for name, bar in theta_bar.items()}
    average = mean_over_ranks({"meta loss": value.detach()}, group)["meta loss"]
    return LookAhead(average, tuple(steps), tuple(reversed(passes)))


def hypergradient(
    steps: Sequence[TakenStep],
    meta_loss: MetaLoss,
    phi: Sequence[Tensor],
    estimator: Estimator = "jvp",
    group: dist.ProcessGroup | None = None,
) -> Hypergradient:
    """Returns dM/dφ after the student has taken the steps, exactly for any number of them.

    Args:
        steps: See ``look_ahead``.
        meta_loss: See ``look_ahead``.
        phi: The meta-parameters. They enter the steps' losses as functions of the logits.
        estimator: See ``look_ahead``.
        group: See ``look_ahead``. The result is dM/dφ of the mean meta loss over ranks after steps
            by mean gradients, the same to the last bit on all ranks.

    Raises:
        NoStepError: If there is no step, or one was not completed.
    """
    found = look_ahead(steps, meta_loss, estimator, group)
    return Hypergradient(found.gradients(phi, group), found.meta_loss)


@torch.no_grad()
def _pull_back(
    step: TakenStep, theta_bar: Direction, state_bar: dict[str, State]
) -> tuple[Direction, Direction, dict[str, State]]:
    pulled = {
        name: rule.pull_back(theta_bar[name], state_bar.get(name, {}))
        for name, rule in step.rules.items()
    }
    return (
        {name: back.gradient for name, back in pulled.items()},
        {name: back.theta for name, back in pulled.items()},
        {name: back.state for name, back in pulled.items()},
    )


def _linearise(
    step: TakenStep, direction: Direction, with_hessian: bool, estimator: Estimator
) -> Linearised:
    if estimator == "jvp":
        try:
            return by_jvp(step, direction, with_hessian)
        except NotImplementedError as error:
            _warn_of_fallback(type(step.student).__name__, error)
            return by_finite_difference(step, direction, with_hessian)
    return ESTIMATORS[estimator](step, direction, with_hessian)


def _warn_of_fallback(student: str, error: NotImplementedError) -> None:
    if student not in _warned_of_fallback:
        _warned_of_fallback.add(student)
        _logger.warning(
            "%s has no forward-mode derivative (%s): its look-aheads use finite differences, "
            "exact to about three digits",
            student,
            str(error).splitlines()[0],
        )


class MetaGradient(NamedTuple):
    """What a look-ahead says of φ.

    Attributes:
        look_ahead: The look-ahead.
        of_phi: dM/dφ, one tensor for each meta-parameter.
        common: dM/d(log τ_s, log τ_t) of a common relative change of all temperatures, (2,); None
            where no temperature is learned.
        is_finite: Whether M and all of its gradient are.
    """

    look_ahead: LookAhead
    of_phi: tuple[Tensor, ...]
    common: Tensor | None
    is_finite: bool


def meta_gradient(
    steps: Sequence[TakenStep],
    meta_loss: MetaLoss,
    phi: Sequence[nn.Parameter],
    shifts: Sequence[Tensor] = (),
    estimator: Estimator = "jvp",
    group: dist.ProcessGroup | None = None,
) -> MetaGradient:
    """Returns dM/dφ after the student has taken the steps.

    Args:
        steps: See ``look_ahead``.
        meta_loss: See ``look_ahead``.
        phi: The meta-parameters, which take no gradient outside this function.
        shifts: What the steps' losses add to (log τ_s, log τ_t), (2,), zeros.
        estimator: See ``look_ahead``.
        group: See ``look_ahead``.
    """
    with graph_to(phi):
        found = look_ahead(steps, meta_loss, estimator, group)
        gradients = found.gradients([*phi, *shifts], group)
    of_phi, of_shifts = gradients[: len(phi)], gradients[len(phi) :]
    finite = torch.stack([part.isfinite().all() for part in (found.meta_loss, *gradients)]).all()
    common = torch.stack(of_shifts).sum(dim=0) if of_shifts else None
    return MetaGradient(found, of_phi, common, bool(finite))


@contextmanager
def graph_to(phi: Sequence[nn.Parameter]) -> Iterator[None]:
    """Lets φ take gradients inside only: the student's own backward pass leaves it out."""
    try:
        for parameter in phi:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter in phi:
            parameter.requires_grad_(False)

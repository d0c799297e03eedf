"""The gradient of a meta loss by everything that is meta-learned, from one look-ahead."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.hypergradient import Estimator, LookAhead, MetaLoss, TakenStep, look_ahead


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

"""Ways to train N students of one architecture on one device: each is a step of all of them."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.optim import SGD, Optimizer

from gpu_checks.packed_model import packed
from metakd.models.create import create_model

MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
LR = 0.01


class Students(NamedTuple):
    """N students before their first step, and each one's own batch and learning rate.

    Attributes:
        models: The students.
        inputs: (N, B, C, H, W).
        labels: (N, B).
        rates: Learning rates, (N,).
    """

    models: list[nn.Module]
    inputs: Tensor
    labels: Tensor
    rates: Tensor

    @staticmethod
    def new(model: str, count: int, batch: int, device: str) -> "Students":
        """Draws them, the same for the same arguments."""
        channels, side = (1, 8) if model.startswith("digit") else (3, 32)
        random = torch.Generator().manual_seed(0)
        models = [create_model(model, (channels, side, side), 10, seed) for seed in range(count)]
        return Students(
            [model.to(device).train() for model in models],
            torch.randn(count, batch, channels, side, side, generator=random).to(device),
            torch.randint(10, (count, batch), generator=random).to(device),
            (LR * (1 + torch.arange(count) / count)).to(device),
        )


class Way(NamedTuple):
    """A way to train them.

    Attributes:
        step: Takes a step of each student.
        weights: Returns all parameters of all students, one student a row, (N, P).
    """

    step: Callable[[], None]
    weights: Callable[[], Tensor]


def optimisers_of(students: Students) -> list[Optimizer]:
    """Returns each student's own optimiser."""
    return [
        SGD(
            model.parameters(),
            float(rate),
            MOMENTUM,
            weight_decay=WEIGHT_DECAY,
            nesterov=True,
            fused=True,
        )
        for model, rate in zip(students.models, students.rates, strict=True)
    ]


def steps_of(students: Students, optimisers: Sequence[Optimizer]) -> list[Callable[[], None]]:
    """Returns each student's own step."""

    def step_of(place: int) -> Callable[[], None]:
        model, optimiser = students.models[place], optimisers[place]
        inputs, labels = students.inputs[place], students.labels[place]

        def step() -> None:
            optimiser.zero_grad(set_to_none=False)
            F.cross_entropy(model(inputs), labels).backward()
            optimiser.step()

        return step

    return [step_of(place) for place in range(len(students.models))]


def rows_of(models: Sequence[nn.Module]) -> Tensor:
    """Returns all parameters of each model, (N, P)."""
    return torch.stack([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models])


def one_by_one(students: Students) -> Way:
    """One student's step after the other's."""
    steps = steps_of(students, optimisers_of(students))

    def step() -> None:
        for each in steps:
            each()

    return Way(step, lambda: rows_of(students.models))


def streams(students: Students) -> Way:
    """Each student's step on a stream of its own."""
    steps = steps_of(students, optimisers_of(students))
    queues = [torch.cuda.Stream() for _ in steps]

    def step() -> None:
        for each, queue in zip(steps, queues, strict=True):
            with torch.cuda.stream(queue):
                each()

    torch.cuda.synchronize()
    return Way(step, lambda: rows_of(students.models))


def graphs(students: Students) -> Way:
    """Each student's step captured once, and replayed on a stream of its own."""
    optimisers = optimisers_of(students)
    steps = steps_of(students, optimisers)
    before = [deepcopy(model.state_dict()) for model in students.models]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    captured = []
    for each in steps:
        with torch.cuda.stream(side):
            for _ in range(3):  # what a first step allocates may not be captured
                each()
        torch.cuda.current_stream().wait_stream(side)
        captured.append(torch.cuda.CUDAGraph())
        with torch.cuda.graph(captured[-1]):
            each()
    torch.cuda.synchronize()
    for model, state in zip(students.models, before, strict=True):
        model.load_state_dict(state)
    for optimiser in optimisers:
        for kept in optimiser.state.values():
            kept["momentum_buffer"].zero_()
    torch.cuda.synchronize()
    queues = [torch.cuda.Stream() for _ in steps]

    def step() -> None:
        for graph, queue in zip(captured, queues, strict=True):
            with torch.cuda.stream(queue):
                graph.replay()

    return Way(step, lambda: rows_of(students.models))


def lockstep(students: Students) -> Way:
    """All students by one call, parameters stacked, with ``torch.func``."""
    parameters, buffers = stack_module_state(students.models)  # type: ignore[arg-type]
    model = students.models[0]
    names, values = list(parameters), [value.detach() for value in parameters.values()]
    momenta = [torch.zeros_like(value) for value in values]

    def loss(
        theta: dict[str, Tensor], state: dict[str, Tensor], x: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits = functional_call(model, (theta, state), (x,))
        value = F.cross_entropy(logits, y)
        return value, value

    slopes_of = vmap(grad(loss, has_aux=True))

    def step() -> None:
        theta = dict(zip(names, values, strict=True))
        slopes, _ = slopes_of(theta, buffers, students.inputs, students.labels)
        descend(values, [slopes[name] for name in names], momenta, students.rates)

    return Way(step, lambda: torch.cat([value.flatten(1) for value in values], dim=1))


def packed_convolutions(students: Students) -> Way:
    """All students as one network of grouped convolutions."""
    count = len(students.models)
    model = packed(students.models)  # type: ignore[arg-type]
    model.to(students.inputs.device).train()
    parameters = list(model.parameters())
    momenta = [torch.zeros_like(parameter) for parameter in parameters]
    inputs = students.inputs.transpose(0, 1).flatten(1, 2).contiguous()
    labels = students.labels.T.flatten()

    def step() -> None:
        model.zero_grad()
        logits = model(inputs).flatten(0, 1)
        (count * F.cross_entropy(logits, labels)).backward()
        slopes = [parameter.grad for parameter in parameters]
        descend([p.detach() for p in parameters], slopes, momenta, students.rates)  # type: ignore[arg-type]

    def weights() -> Tensor:
        return torch.cat([p.detach().reshape(count, -1) for p in parameters], dim=1)

    return Way(step, weights)


@torch.no_grad()
def descend(
    values: list[Tensor], slopes: list[Tensor], momenta: list[Tensor], rates: Tensor
) -> None:
    """One optimiser for all students: Nesterov's step, each student at its own rate."""
    slopes = torch._foreach_add(slopes, values, alpha=WEIGHT_DECAY)
    torch._foreach_mul_(momenta, MOMENTUM)
    torch._foreach_add_(momenta, slopes)
    moves = torch._foreach_add(slopes, momenta, alpha=MOMENTUM)
    count = len(rates)
    for value, move in zip(values, moves, strict=True):
        by_student = value.view(count, -1)
        by_student.addcmul_(rates[:, None], move.reshape(count, -1), value=-1)


WAYS: dict[str, Callable[[Students], Way]] = {
    "one by one": one_by_one,
    "streams": streams,
    "graphs": graphs,
    "lockstep": lockstep,
    "packed": packed_convolutions,
}
ON_GPU_ALONE = ("streams", "graphs")

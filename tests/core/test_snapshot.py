"""Steps that are undone leave nothing behind."""

from collections.abc import Callable

import pytest
import torch
from ensemble_bench import BATCH, SIZE, Student
from one_thread import one_thread as one_thread
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from metakd.core.snapshot import rolled_back, tried_step

OPTIMISERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "plain": lambda student: SGD(student.parameters(), lr=0.1),
    "nesterov": lambda student: SGD(student.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    "fused": lambda student: SGD(student.parameters(), lr=0.1, momentum=0.9, fused=True),
    "adam": lambda student: Adam(student.parameters(), lr=0.1),
}


def step(student: nn.Module, optimiser: Optimizer) -> None:
    optimiser.zero_grad()
    student(torch.randn(BATCH, 1, SIZE, SIZE)).square().mean().backward()
    optimiser.step()


@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_what_follows_is_what_would_have_followed_bitwise(name: str, steps_before: int) -> None:
    runs = []
    for is_tried in (False, True):
        torch.manual_seed(0)
        student = Student(dropout=0.3)
        optimiser = OPTIMISERS[name](student)
        for _ in range(steps_before):
            step(student, optimiser)
        if is_tried:
            moved = student.layers[1].running_mean.clone()
            with rolled_back(student, optimiser):
                for _ in range(3):
                    step(student, optimiser)
                assert not torch.equal(student.layers[1].running_mean, moved)
            assert all(parameter.grad is None for parameter in student.parameters())
        for _ in range(2):
            step(student, optimiser)
        runs.append((student.state_dict(), optimiser.state_dict(), torch.get_rng_state()))
    (plain, plain_optimiser, plain_random), (tried, tried_optimiser, tried_random) = runs
    assert all(torch.equal(plain[name], tried[name]) for name in plain)
    assert torch.equal(plain_random, tried_random)
    assert str(plain_optimiser) == str(tried_optimiser)


def test_an_error_inside_undoes_the_steps_too() -> None:
    torch.manual_seed(0)
    student = Student()
    optimiser = OPTIMISERS["nesterov"](student)
    before = {name: value.clone() for name, value in student.state_dict().items()}

    def steps() -> None:
        with rolled_back(student, optimiser):
            step(student, optimiser)
            student(torch.zeros(1, 2, SIZE, SIZE))

    with pytest.raises(RuntimeError, match="channels"):
        steps()
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert not optimiser.state


def test_under_autocast_each_tried_step_sees_what_the_one_before_it_did() -> None:
    torch.manual_seed(0)
    student = Student()
    optimiser = SGD(student.parameters(), lr=1.0)
    inputs = torch.randn(BATCH, 1, SIZE, SIZE)
    seen: list[torch.Tensor] = []

    def loss(outputs: torch.Tensor) -> torch.Tensor:
        seen.append(outputs.detach())
        return outputs.square().mean()

    with torch.autocast("cpu", torch.bfloat16), rolled_back(student, optimiser):
        for _ in range(2):
            tried_step(student, optimiser, inputs, loss)
        seen.append(student(inputs).float())
    assert {each.dtype for each in seen} == {torch.float32}
    assert (seen[0] - seen[1]).norm() > 0.1 * seen[0].norm()
    assert (seen[1] - seen[2]).norm() > 0.1 * seen[1].norm()

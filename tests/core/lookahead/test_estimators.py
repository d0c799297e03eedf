"""Each estimator against PyTorch's own differentiable optimisers, and in hard places."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from look_ahead_bench import (
    CLASSES,
    DOUBLE,
    OPTIMISERS,
    SAMPLES,
    SIZE,
    STUDENTS,
    Bench,
    batchnorm_cnn,
)
from torch import Tensor, nn

from metakd.core.distillers import MKDConfig
from metakd.core.lookahead import ESTIMATORS, Estimator, hypergradient
from metakd.core.lookahead.estimators import load_forward_rules

EXACT: tuple[Estimator, ...] = ("jvp", "double_backward")


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("student", STUDENTS)
def test_the_exact_estimators_equal_the_unrolled_step(student: str, optimiser: str) -> None:
    (expected,) = Bench(STUDENTS[student], optimiser).unrolled()
    found = Bench(STUDENTS[student], optimiser).estimate(*EXACT)
    assert expected.abs().min() > 1e-8, "a vanishing reference would prove nothing"
    for one in found:
        torch.testing.assert_close(one.gradients[0], expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("steps", [2, 5])
@pytest.mark.parametrize("optimiser", ["nesterov", "adam", "amsgrad"])
@pytest.mark.parametrize("student", STUDENTS)
def test_several_steps_equal_the_unrolled_ones(student: str, optimiser: str, steps: int) -> None:
    steps = min(steps, 3) if student == "vit" else steps
    (expected,) = Bench(STUDENTS[student], optimiser).unrolled(steps)
    for one in Bench(STUDENTS[student], optimiser).estimate(*EXACT, steps=steps):
        torch.testing.assert_close(one.gradients[0], expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("student", STUDENTS)
def test_it_is_the_slope_of_the_meta_loss_over_re_run_steps(student: str) -> None:
    def meta_loss_at(shift: Tensor) -> float:
        bench = Bench(STUDENTS[student], "nesterov")
        with torch.no_grad():
            bench.temperatures.log_tau += shift
        bench.step()
        return float(bench.meta_loss(bench.student).detach())

    (found,) = Bench(STUDENTS[student], "nesterov").estimate("jvp")[0].gradients
    epsilon = 1e-4
    for index, unit in enumerate(torch.eye(2, dtype=DOUBLE)):
        slope = (meta_loss_at(epsilon * unit) - meta_loss_at(-epsilon * unit)) / (2 * epsilon)
        assert slope == pytest.approx(float(found[index]), rel=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-6), (torch.float32, 1e-1)])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("student", STUDENTS)
def test_finite_differences_are_exact_to_some_digits(
    student: str, steps: int, dtype: torch.dtype, tolerance: float
) -> None:
    bench = Bench(STUDENTS[student], "nesterov", dtype)
    exact, rough = bench.estimate("jvp", "finite_difference", steps=steps)
    gap = (rough.gradients[0] - exact.gradients[0]).norm() / exact.gradients[0].norm()
    assert gap < tolerance


class Squash(torch.autograd.Function):
    """An operator that somebody wrote without a forward-mode rule."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        y = x.tanh()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, slope: Tensor) -> Tensor:  # type: ignore[override]
        (y,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return slope * (1 - y * y)


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(SIZE**2, 16), nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(Squash.apply(self.first(x.flatten(1))))


@pytest.mark.parametrize("steps", [1, 2])
def test_an_operator_without_forward_mode_falls_back_with_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr("metakd.core.lookahead.sweep._warned_of_fallback", set())
    bench = Bench(Odd, "momentum")
    with caplog.at_level(logging.WARNING):
        (found,) = bench.estimate("jvp", steps=steps)
        bench.estimate("jvp")
    (expected,) = Bench(Odd, "momentum").estimate("double_backward", steps=steps)
    torch.testing.assert_close(found.gradients, expected.gradients, rtol=1e-5, atol=0)
    assert [r.getMessage().startswith("Odd has no forward-mode") for r in caplog.records] == [True]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("steps", [1, 2])
def test_nothing_but_the_estimate_comes_of_it(estimator: Estimator, steps: int) -> None:
    bench = Bench(batchnorm_cnn, "momentum")
    taken = [bench.step() for _ in range(steps)]
    state = {name: value.clone() for name, value in bench.student.state_dict().items()}
    gradients = [p.grad.clone() for p in bench.student.parameters() if p.grad is not None]
    random = torch.get_rng_state()

    def meta_loss(forward: Callable[[Tensor], Tensor]) -> Tensor:
        return F.cross_entropy(forward(bench.meta_inputs), bench.meta_labels)

    hypergradient(taken, meta_loss, bench.phi, estimator)
    for name, value in bench.student.state_dict().items():
        assert torch.equal(value, state[name]), name
    for parameter, before in zip(bench.student.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, before)
    assert torch.equal(torch.get_rng_state(), random)
    assert bench.student.training
    assert all(m.track_running_stats for m in bench.student.modules() if hasattr(m, "running_mean"))


def test_a_frozen_part_of_the_student_is_left_out() -> None:
    def half_frozen() -> nn.Module:
        student = batchnorm_cnn()
        student[0].requires_grad_(False)
        return student

    (expected,) = Bench(half_frozen, "adamw").unrolled()
    (found,) = Bench(half_frozen, "adamw").estimate("jvp")
    torch.testing.assert_close(found.gradients[0], expected, rtol=1e-9, atol=0)


def test_parts_of_a_batch_average_to_the_whole_where_samples_do_not_interact() -> None:
    def plain() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(SIZE**2, 9), nn.Tanh(), nn.Linear(9, CLASSES))

    bench = Bench(plain, "adamw")
    number, step = bench.number, bench.step()
    (whole,) = hypergradient([step], bench.meta_loss, bench.phi).gradients
    parts = []
    for start in range(0, SAMPLES, 3):
        rows = slice(start, start + 3)
        part = step.complete(bench.inputs[number][rows], bench.loss_of(number, rows))
        parts.append(hypergradient([part], bench.meta_loss, bench.phi).gradients[0])
    assert torch.stack(parts).std(dim=0).min() > 0.1 * whole.abs().min(), "parts must differ"
    torch.testing.assert_close(torch.stack(parts).mean(dim=0), whole, rtol=1e-9, atol=0)


def test_channels_last_changes_nothing() -> None:
    (plain,) = Bench(batchnorm_cnn, "momentum").estimate("jvp")
    bench = Bench(batchnorm_cnn, "momentum")
    bench.student.to(memory_format=torch.channels_last)
    bench.inputs = torch.stack(
        [x.to(memory_format=torch.channels_last) for x in bench.inputs.unbind()]
    )
    (found,) = bench.estimate("jvp")
    torch.testing.assert_close(found.gradients, plain.gradients, rtol=1e-9, atol=0)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_first_look_ahead_of_a_process_warns_of_nothing(steps: int) -> None:
    program = (
        "from look_ahead_bench import Bench, batchnorm_cnn;"
        f"Bench(batchnorm_cnn, 'momentum').estimate('jvp', steps={steps})"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("estimator", "loads"), [("jvp", 1), ("finite_difference", 0)])
def test_forward_rules_are_loaded_before_a_training_is_timed(
    estimator: Estimator, loads: int
) -> None:
    load_forward_rules.cache_clear()
    MKDConfig(estimator=estimator).build()
    assert load_forward_rules.cache_info().misses == loads

"""The hypergradient against double backward, and both against re-running the step."""

from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD

from metakd.core.hypergradient import Estimator, Hypergradient, LookAhead
from metakd.core.losses import distillation_loss
from metakd.core.temperature import LearnedTemperatures

DOUBLE = torch.float64
SIZE, CLASSES, SAMPLES = 8, 5, 12


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(SIZE**2, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, CLASSES)
    )


def batchnorm_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def vit() -> nn.Module:
    return timm.create_model(
        "vit_tiny_patch16_224",
        img_size=SIZE,
        patch_size=4,
        in_chans=1,
        num_classes=CLASSES,
        embed_dim=12,
        depth=2,
        num_heads=2,
        drop_path_rate=0.2,
    )


STUDENTS = {"mlp": mlp, "batchnorm_cnn": batchnorm_cnn, "vit": vit}
OPTIMISERS: dict[str, dict[str, object]] = {
    "plain": {},
    "momentum": {"momentum": 0.9, "weight_decay": 5e-3},
    "nesterov": {"momentum": 0.9, "weight_decay": 5e-3, "nesterov": True},
    "dampened": {"momentum": 0.8, "dampening": 0.3},
}


class Bench:
    """A student some steps into its training, and the data of its next step."""

    def __init__(self, make: Callable[[], nn.Module], **optimiser: object) -> None:
        torch.manual_seed(3)
        self.student = make().to(DOUBLE).train()
        self.optimiser = SGD(self.student.parameters(), lr=0.07, **optimiser)  # type: ignore[arg-type]
        self.temperatures = LearnedTemperatures(4.0, 2.5).to(DOUBLE)
        self.inputs = torch.randn(SAMPLES, 1, SIZE, SIZE, dtype=DOUBLE)
        self.meta_inputs = torch.randn(SAMPLES, 1, SIZE, SIZE, dtype=DOUBLE)
        self.labels = torch.randint(CLASSES, (SAMPLES,))
        self.meta_labels = torch.randint(CLASSES, (SAMPLES,))
        self.teacher_logits = 3 * torch.randn(SAMPLES, CLASSES, dtype=DOUBLE)
        for _ in range(2):
            self.step()

    def loss(self, logits: Tensor) -> Tensor:
        temperatures = self.temperatures()
        return distillation_loss(
            logits, self.teacher_logits, self.labels, *temperatures, alpha=0.9
        ).total

    def meta_loss(self, forward: Callable[[Tensor], Tensor]) -> Tensor:
        torch.manual_seed(11)  # the meta pass draws the same dropout masks in every estimate
        return F.cross_entropy(forward(self.meta_inputs), self.meta_labels)

    def step(self) -> Tensor:
        logits = self.student(self.inputs)
        self.optimiser.zero_grad()
        self.loss(logits).backward()
        self.optimiser.step()
        return logits

    def estimate(self, *estimators: Estimator) -> list[Hypergradient]:
        look_ahead = LookAhead(self.student, self.optimiser)
        logits = self.step()
        phi = [self.temperatures.log_tau]
        return [
            look_ahead.hypergradient(self.inputs, logits, self.loss, self.meta_loss, phi, estimator)
            for estimator in estimators
        ]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("student", STUDENTS)
def test_jvp_equals_double_backward(student: str, optimiser: str) -> None:
    bench = Bench(STUDENTS[student], **OPTIMISERS[optimiser])
    jvp, reference = bench.estimate("jvp", "double_backward")
    (found,), (expected,) = jvp.gradients, reference.gradients
    assert expected.abs().min() > 1e-6, "a vanishing reference would prove nothing"
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(jvp.meta_loss, reference.meta_loss, rtol=1e-12, atol=0)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("student", STUDENTS)
def test_it_is_the_slope_of_the_meta_loss_over_re_run_steps(student: str, optimiser: str) -> None:
    def meta_loss_at(shift: Tensor) -> float:
        bench = Bench(STUDENTS[student], **OPTIMISERS[optimiser])
        with torch.no_grad():
            bench.temperatures.log_tau += shift
        bench.step()
        return float(bench.meta_loss(bench.student).detach())

    (found,) = Bench(STUDENTS[student], **OPTIMISERS[optimiser]).estimate("jvp")[0].gradients
    epsilon = 1e-4
    for index, unit in enumerate(torch.eye(2, dtype=DOUBLE)):
        slope = (meta_loss_at(epsilon * unit) - meta_loss_at(-epsilon * unit)) / (2 * epsilon)
        assert slope == pytest.approx(float(found[index]), rel=1e-5)


@pytest.mark.parametrize("estimator", ["jvp", "double_backward"])
def test_nothing_but_the_estimate_comes_of_it(estimator: Estimator) -> None:
    bench = Bench(batchnorm_cnn, momentum=0.9)
    look_ahead = LookAhead(bench.student, bench.optimiser)
    logits = bench.step()
    state = {name: value.clone() for name, value in bench.student.state_dict().items()}
    gradients = [p.grad.clone() for p in bench.student.parameters() if p.grad is not None]
    random = torch.get_rng_state()

    def meta_loss(forward: Callable[[Tensor], Tensor]) -> Tensor:
        return F.cross_entropy(forward(bench.meta_inputs), bench.meta_labels)

    look_ahead.hypergradient(
        bench.inputs, logits, bench.loss, meta_loss, [bench.temperatures.log_tau], estimator
    )
    for name, value in bench.student.state_dict().items():
        assert torch.equal(value, state[name]), name
    for parameter, before in zip(bench.student.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, before)
    assert torch.equal(torch.get_rng_state(), random)
    assert bench.student.training
    assert all(m.track_running_stats for m in bench.student.modules() if hasattr(m, "running_mean"))


def test_a_frozen_part_of_the_student_is_left_out() -> None:
    torch.manual_seed(0)
    student = batchnorm_cnn().to(DOUBLE).train()
    for parameter in student[0].parameters():
        parameter.requires_grad_(False)

    bench = Bench(lambda: student)
    bench.optimiser = SGD([p for p in student.parameters() if p.requires_grad], lr=0.07)
    jvp, reference = bench.estimate("jvp", "double_backward")
    torch.testing.assert_close(jvp.gradients, reference.gradients, rtol=1e-9, atol=0)

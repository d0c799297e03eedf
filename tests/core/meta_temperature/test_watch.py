"""What a watch sees of a loop, what it refuses, what it says, and what it leaves alone."""

import copy
import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from metakd.core import MetaTemperature
from metakd.core.lookahead import UnknownOptimiserError

B, D, C = 16, 6, 4


class Student(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body, self.head = nn.Sequential(nn.Linear(D, 8), nn.BatchNorm1d(8)), nn.Linear(8, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).relu())


def batch(number: int, classes: int = C) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    inputs = torch.randn(B, D, generator=generator)
    teacher_logits = 3 * torch.randn(B, classes, generator=generator)
    return inputs, teacher_logits, torch.randint(classes, (B,), generator=generator)


def sgd(student: nn.Module) -> SGD:
    return SGD(student.parameters(), lr=0.1, momentum=0.9)


def train(
    temps: MetaTemperature,
    student: nn.Module,
    optimiser: Optimizer,
    steps: int,
    logits_of: Callable[[Tensor], Tensor] | None = None,
    looks: bool = True,
) -> None:
    for number in range(steps):
        inputs, teacher_logits, labels = batch(number)
        logits = student(inputs) if logits_of is None else logits_of(inputs)
        optimiser.zero_grad()
        temps.loss(logits, teacher_logits, labels).backward()
        optimiser.step()
        if looks and temps.is_due:
            temps.meta_step(*batch(100 + number)[::2])


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def saved_and_loaded(student: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(student, file)
    file.seek(0)
    loaded: nn.Module = torch.load(file, weights_only=False)
    return loaded


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, copy.copy, saved_and_loaded, lambda s: AveragedModel(s).module],
    ids=["deepcopy", "copy", "saved", "averaged"],
)
def test_copies_of_a_watched_student_carry_no_watch(
    copied: Callable[[nn.Module], nn.Module],
) -> None:
    student = Student()
    student.register_forward_hook(own_hook)
    optimiser = sgd(student)
    temps = MetaTemperature(interval=1).watch(student, optimiser)
    train(temps, student, optimiser, 2)
    twin = copied(student)
    assert list(twin._forward_hooks.values()) == [own_hook]
    assert not twin._forward_pre_hooks
    assert "__getstate__" not in vars(twin)
    assert torch.equal(twin.head.weight, student.head.weight)
    # The student itself is still watched, its copy is not.
    train(temps, student, optimiser, 1, logits_of=student)
    assert temps.meta_steps == 3
    train(temps, student, optimiser, 1, logits_of=copied(student))
    assert temps.meta_steps == 3


def own_hook(module: nn.Module, args: Any, output: Any) -> None:
    """A hook of the loop's own."""


def test_a_watched_student_can_be_exported() -> None:
    student = Student()
    MetaTemperature().watch(student, sgd(student))
    inputs = batch(0)[0]
    exported = torch.export.export(student.eval(), (inputs,)).module()
    torch.testing.assert_close(exported(inputs), student(inputs))


def test_temperatures_are_copied_and_saved_without_the_student() -> None:
    student = Student()
    temps = MetaTemperature().watch(student, sgd(student))
    file = io.BytesIO()
    torch.save(temps, file)
    assert b"SGD" not in file.getvalue()
    assert copy.deepcopy(temps).temperatures == temps.temperatures
    assert not copy.deepcopy(temps).is_due


def test_a_student_that_is_watched_no_longer_is_as_it_was() -> None:
    student = Student()
    optimiser = sgd(student)
    before = set(vars(student))
    temps = MetaTemperature().watch(student, optimiser)
    other = MetaTemperature().watch(student, optimiser)
    temps._watch.end()  # type: ignore[union-attr]
    assert len(student._forward_hooks) == 1
    assert not copy.deepcopy(student)._forward_hooks, "the other watch is left out, too"
    other._watch.end()  # type: ignore[union-attr]
    assert not student._forward_hooks
    assert set(vars(student)) == before


@pytest.mark.parametrize("make", [sgd, lambda s: AdamW(s.parameters(), lr=0.01, fused=True)])
def test_look_aheads_that_nobody_takes_change_nothing_and_are_told_once(
    make: Callable[[nn.Module], Optimizer], caplog: pytest.LogCaptureFixture
) -> None:
    ends = []
    for is_watched in (True, False):
        student = Student()
        optimiser = make(student)
        temps = MetaTemperature(interval=1, horizon=2)
        temps = temps.watch(student, optimiser) if is_watched else temps.attach(student)
        train(temps, student, optimiser, 12, looks=False)
        ends.append(student.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    (message,) = messages(caplog)
    assert message.endswith("call meta_step(inputs, labels) where is_due is true")
    assert "3 look-aheads were due" in message


def test_a_late_look_ahead_changes_nothing_but_temperatures() -> None:
    student = Student()
    optimiser = sgd(student)
    temps = MetaTemperature(interval=1).watch(student, optimiser)
    train(temps, student, optimiser, 1, looks=False)
    inputs, teacher_logits, labels = batch(1)
    loss = temps.loss(student(inputs), teacher_logits, labels)
    state = copy.deepcopy([student.state_dict(), optimiser.state_dict()])
    random = torch.get_rng_state()
    assert temps.meta_step(*batch(9)[::2]) is not None
    assert torch.equal(torch.get_rng_state(), random)
    for before, after in zip(state, (student.state_dict(), optimiser.state_dict()), strict=True):
        assert str(before) == str(after)
    loss.backward()
    optimiser.step()
    assert temps.is_due
    assert temps.meta_step(*batch(9)[::2]) is not None


UNSEEN = {
    "parts of it": (lambda s: lambda x: s.head(s.body(x).relu()), "was not called"),
    "forward": (lambda s: lambda x: s.forward(x), "was not called"),
    "another model": (lambda s: lambda x: Student()(x) + 0 * s(x).detach(), "came from no pass"),
}


@pytest.mark.parametrize("how", UNSEEN)
def test_what_is_not_seen_is_told_once_after_an_interval(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    student = Student()
    optimiser = sgd(student)
    temps = MetaTemperature(interval=3).watch(student, optimiser)
    make, words = UNSEEN[how]
    train(temps, student, optimiser, 3, logits_of=make(student))
    assert not messages(caplog)
    train(temps, student, optimiser, 20, logits_of=make(student))
    (message,) = messages(caplog)
    assert message.startswith("the temperatures are not being learned (they stand at 4 and 4)")
    assert words in message
    assert temps.meta_steps == 0


def test_passes_that_stop_being_seen_are_told(caplog: pytest.LogCaptureFixture) -> None:
    student = Student()
    optimiser = sgd(student)
    temps = MetaTemperature(interval=2).watch(student, optimiser)
    train(temps, student, optimiser, 10)
    train(temps, student, optimiser, 10, logits_of=lambda x: student(x) * 2)
    (message,) = messages(caplog)
    assert "no pass could be repeated: the logits (16, 4) in the loss are computed from" in message
    assert temps.meta_steps == 5


def test_a_loss_of_ones_own_is_told(caplog: pytest.LogCaptureFixture) -> None:
    student = Student()
    optimiser = sgd(student)
    temps = MetaTemperature(interval=2).watch(student, optimiser)
    for number in range(5):
        student(batch(number)[0]).square().mean().backward()
        optimiser.step()
    (message,) = messages(caplog)
    assert message.endswith("train by temps.loss")
    assert temps.steps == 5


def test_temperatures_without_a_watch_are_told_so(caplog: pytest.LogCaptureFixture) -> None:
    student = Student()
    temps = MetaTemperature(interval=2)
    train(temps, student, sgd(student), 9)
    (message,) = messages(caplog)
    assert message.endswith("call watch(student, optimiser) before the loop")
    with torch.no_grad():
        assert temps.loss(student(batch(0)[0]), *batch(0)[1:]).isfinite()


@pytest.mark.parametrize("scale", [1.0, 2.0**10, 2.0**127])
def test_a_fused_step_under_a_scaler_is_differentiated_as_a_plain_one(scale: float) -> None:
    gradients = []
    for fused in (False, True):
        student = Student()
        optimiser = AdamW(student.parameters(), lr=0.01, fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        temps = MetaTemperature(interval=1).watch(student, optimiser)
        seen = []
        for number in range(8):
            inputs, teacher_logits, labels = batch(number)
            optimiser.zero_grad()
            scaler.scale(10 * temps.loss(student(inputs), teacher_logits, labels)).backward()
            scaler.step(optimiser)
            scaler.update()
            step = temps.meta_step(*batch(100 + number)[::2])
            if step is not None:
                seen.append(step.gradient)
        assert temps.steps == len(seen) == temps.meta_steps
        assert (len(seen) < 8) == (scale > 2.0**100), "the largest scale overflows at first"
        gradients.append(torch.stack(seen))  # type: ignore[arg-type]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-7)


class Wrapper(Optimizer):
    """An optimiser around another, as training libraries have them."""

    def __init__(self, inner: Optimizer) -> None:
        self.optimizer = inner
        self.param_groups = inner.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)


def test_wrapped_optimisers_are_looked_into_or_told_what_to_hand_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    student = Student()
    wrapped = Wrapper(sgd(student))
    with pytest.raises(UnknownOptimiserError, match=r"Wrapper;.* inside it \(optimizer, SGD\)"):
        MetaTemperature().watch(student, wrapped)
    monkeypatch.setattr(Wrapper, "__module__", "accelerate.optimizer")
    temps = MetaTemperature(interval=1).watch(student, wrapped)
    wrapped.zero_grad = wrapped.optimizer.zero_grad  # type: ignore[method-assign]
    train(temps, student, wrapped, 4)
    assert (temps.steps, temps.meta_steps) == (4, 4)


def test_steps_from_displaced_parameters_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Sharpness-aware minimisation takes its gradient elsewhere than where the step begins."""
    student = Student()
    optimiser = sgd(student)
    temps = MetaTemperature(interval=1).watch(student, optimiser)
    for number in range(3):
        inputs, teacher_logits, labels = batch(number)
        optimiser.zero_grad()
        temps.loss(student(inputs), teacher_logits, labels).backward()
        with torch.no_grad():
            student.head.weight.add_(0.01)
        optimiser.step()
        temps.meta_step(*batch(100 + number)[::2])
    (message,) = messages(caplog)
    assert "sharpness-aware" in message
    assert temps.meta_steps == 3


def test_a_look_ahead_over_several_steps_needs_them_all() -> None:
    student = Student()
    optimiser = sgd(student)
    temps = MetaTemperature(interval=3, horizon=3).watch(student, optimiser)
    due = []
    for number in range(9):
        inputs, teacher_logits, labels = batch(number)
        logits = student.forward(inputs) if number == 4 else student(inputs)
        optimiser.zero_grad()
        temps.loss(logits, teacher_logits, labels).backward()
        optimiser.step()
        due.append(temps.is_due)
        temps.meta_step(*batch(100 + number)[::2])
    assert due == [number in (2, 8) for number in range(9)]


class Keywords(Student):
    def forward(self, x: Tensor, flag: bool = True) -> Tensor:
        return super().forward(x)


REFUSED: dict[str, tuple[Callable[[nn.Module, Tensor], Tensor], str]] = {
    "keywords": (lambda s, x: s(x=x), r"got \[\] and the keywords \['x'\]: wrap it"),
    "two arguments": (lambda s, x: s(x, True), r"got \['Tensor', 'bool'\]"),
    "computed": (lambda s, x: 2 * s(x), "say how, watch"),
    "a part of it": (lambda s, x: torch.cat([s(x), s(x)])[:B], "say how, watch"),
    "changed in place": (lambda s, x: s(x).mul_(2), "say how, watch"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_pass_that_cannot_be_repeated_is_refused_before_the_first_step(how: str) -> None:
    student = Keywords()
    temps = MetaTemperature().watch(student, sgd(student))
    call, words = REFUSED[how]
    inputs, teacher_logits, labels = batch(0)
    with pytest.raises((TypeError, ValueError), match=words):
        temps.loss(call(student, inputs), teacher_logits, labels)
    # The same passes are nobody's business where their outputs enter no loss.
    call(student, inputs)
    temps.loss(student(inputs), teacher_logits, labels).backward()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (lambda returned: returned * 3, "gives other logits"),
        (lambda returned: returned[:, :2], r"gives other logits \(16, 2\)"),
        (lambda returned: returned["logits"], "output= cannot take what the student returns"),
    ],
)
def test_an_output_that_is_not_the_loops_is_refused(
    output: Callable[[Any], Tensor], words: str
) -> None:
    student = Student()
    temps = MetaTemperature().watch(student, sgd(student), output=output)
    inputs, teacher_logits, labels = batch(0)
    with pytest.raises(ValueError, match=words):
        temps.loss(student(inputs) * 2, teacher_logits, labels)


BAD: dict[str, tuple[dict[str, Any], tuple[int, ...], Tensor, str]] = {
    "one logit": ({}, (B, 1), torch.zeros(B), "two classes or more.*two logits"),
    "none": ({}, (B,), torch.zeros(B).long(), "two classes or more"),
    "classes": (
        {"form": "per_class", "num_classes": 4},
        (B, 7),
        torch.zeros(B).long(),
        "num_classes=4, but the logits have 7",
    ),
    "ignored": (
        {"form": "per_class", "num_classes": 150},
        (B, 150),
        torch.full((B,), -100),
        r"labels in 0 to 149, got -100 to -100.*ignore_index=-100",
    ),
    "open": ({}, (B, 5, 5), torch.zeros(B, 5).long(), r"leave open.*class_dim=-1"),
    "no dimension": ({"class_dim": 3}, (B, 5, 6), torch.zeros(B, 5).long(), "class_dim=3 is no"),
    "the batch's": ({"class_dim": 0}, (B, 5, 6), torch.zeros(B, 5).long(), "class_dim=0 is no"),
}


@pytest.mark.parametrize("case", BAD)
def test_logits_that_nothing_can_be_learned_from_are_refused(case: str) -> None:
    settings, shape, labels, words = BAD[case]
    logits = torch.randn(shape, requires_grad=True)
    with pytest.raises(ValueError, match=words):
        MetaTemperature(**settings).loss(logits, torch.randn(shape), labels)


def test_classes_that_are_masked_on_one_side_are_refused() -> None:
    _, teacher_logits, labels = batch(0)
    masked = teacher_logits.clone()
    masked[:, 1] = -torch.inf
    with pytest.raises(ValueError, match="mask the same classes on both sides"):
        MetaTemperature().loss(masked, teacher_logits, labels)
    assert MetaTemperature().loss(teacher_logits, masked, labels.clamp(max=0)).isfinite()


def test_a_start_is_given_once() -> None:
    with pytest.raises(ValueError, match="init=2 is the start of both, got tau_s beside it"):
        MetaTemperature(init=2, tau_s=3.0)


def test_half_precision_and_double_teachers_are_computed_as_finely_as_they_can_be() -> None:
    _, teacher_logits, labels = batch(0)
    logits = torch.randn(B, C)
    whole = MetaTemperature().loss(logits.bfloat16().float(), teacher_logits, labels)
    half = MetaTemperature().loss(logits.bfloat16(), teacher_logits, labels)
    assert half.dtype == torch.float32
    assert torch.equal(half, whole)
    double = MetaTemperature().loss(logits, teacher_logits.double(), labels)
    assert double.dtype == torch.float32
    assert torch.equal(double, MetaTemperature().loss(logits, teacher_logits, labels))


@pytest.mark.parametrize("shape", [(B, C), (B, 3, C)])
def test_ignored_labels_are_left_out_of_the_whole_loss(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    logits, teacher_logits = torch.randn(shape), torch.randn(shape)
    labels = torch.randint(C, shape[:-1])
    labels[::3] = 255
    temps = MetaTemperature(ignore_index=255, class_dim=-1)
    kept = labels.flatten() != 255
    rows = [x.reshape(-1, C)[kept] for x in (logits, teacher_logits)]
    expected = MetaTemperature().losses(*rows, labels.flatten()[kept])
    found = temps.losses(logits, teacher_logits, labels)
    for one, other in zip(found[:3], expected[:3], strict=True):
        torch.testing.assert_close(one, other)


def test_labels_that_only_cross_entropy_ignores_are_told(caplog: pytest.LogCaptureFixture) -> None:
    logits, teacher_logits, labels = torch.randn(B, C), *batch(0)[1:]
    labels[:5] = -100
    temps = MetaTemperature()
    for _ in range(3):
        losses = temps.losses(logits, teacher_logits, labels)
    torch.testing.assert_close(losses.ce, F.cross_entropy(logits[5:], labels[5:]))
    (message,) = messages(caplog)
    assert message.startswith("5 of 16 labels are −100")
    assert "ignore_index=-100" in message


def test_labels_of_several_classes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    temps = MetaTemperature()
    temps.use_task_loss(F.binary_cross_entropy_with_logits)
    labels = torch.tensor([[1.0, 1.0, 0.0, 1.0]] * B)
    temps.loss(torch.randn(B, C), torch.randn(B, C), labels)
    (message,) = messages(caplog)
    assert message.startswith("labels of 3 to 3 classes at once")


def test_counters_are_there_to_look_at_and_part_of_the_state() -> None:
    student = Student()
    optimiser = sgd(student)
    temps = MetaTemperature(interval=2).watch(student, optimiser)
    train(temps, student, optimiser, 6)
    assert (temps.steps, temps.meta_steps, temps.skipped) == (6, 3, 0)
    other = MetaTemperature(interval=2)
    other.load_state_dict(temps.state_dict())
    assert (other.steps, other.meta_steps) == (6, 3)
    other.set_extra_state({"steps": 4, "skipped": 1})  # of a version that did not count them
    assert (other.steps, other.meta_steps, other.skipped) == (4, 0, 1)


@pytest.fixture(autouse=True)
def _warnings_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

"""``MetaTemperature`` in a loop that knows nothing of metakd."""

import copy
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adadelta, AdamW, Optimizer

from metakd.core import MetaTemperature
from metakd.core.lookahead import UnknownOptimiserError
from metakd.core.lookahead.look_aheads import MetaStep

B, D, C = 16, 6, 4
FORMS = ("separate", "shared", "per_class", "per_sample")


def make_student() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(D, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, C)
    )


def batches(steps: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    teacher = torch.randn(D, C, generator=torch.Generator().manual_seed(0))
    for step in range(start, start + steps):
        inputs = torch.randn(B, D, generator=torch.Generator().manual_seed(100 + step))
        logits = 3 * inputs @ teacher
        yield inputs, logits, logits.argmax(dim=1)


class Loop:
    """Somebody's own training loop."""

    def __init__(self, wrap: Any = lambda student: student, **settings: Any) -> None:
        self.student = wrap(make_student())
        self.optimiser: Optimizer = SGD(
            self.student.parameters(), lr=0.1, momentum=0.9, nesterov=True
        )
        if settings.get("form") == "per_class":
            settings["num_classes"] = C
        self.temps = MetaTemperature(**{"interval": 2, **settings})
        self.temps.watch(self.student, self.optimiser)

    def run(self, steps: int, start: int = 0) -> list[MetaStep]:
        seen = []
        held_out = batches(steps, start=1000 + start)
        torch.manual_seed(start)  # a resumed run draws the same dropout
        for inputs, teacher_logits, labels in batches(steps, start):
            loss = self.temps.loss(self.student(inputs), teacher_logits, labels)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            meta_inputs, _, meta_labels = next(held_out)
            step = self.temps.meta_step(meta_inputs, meta_labels)
            if step is not None:
                seen.append(step)
        return seen


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("learn_alpha", [False, True])
def test_every_form_learns_in_a_few_lines(form: str, learn_alpha: bool) -> None:
    loop = Loop(form=form, learn_alpha=learn_alpha)
    start = loop.temps.temperatures
    assert start == pytest.approx((4.0, 4.0))
    seen = loop.run(12)
    assert len(seen) == 6
    assert not any(step.is_skipped for step in seen)
    assert loop.temps.temperatures != start
    assert (loop.temps.alpha != 0.9) == learn_alpha
    assert loop.temps.steps == 12
    # The student's backward pass left nothing at φ.
    assert all(p.grad is None and not p.requires_grad for p in loop.temps.parameters())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"form": "shared"},
        {"rule": "alignment"},
        {"rule": "alignment", "form": "shared"},
        {"form": "per_class", "learn_alpha": True},
        {"form": "per_sample"},
    ],
)
def test_a_resumed_run_is_the_same_run_to_the_bit(settings: dict[str, Any]) -> None:
    whole = Loop(**settings)
    whole.run(6)
    saved = copy.deepcopy([x.state_dict() for x in (whole.student, whole.optimiser, whole.temps)])
    whole.run(7, start=6)

    resumed = Loop(**settings)
    resumed.student.load_state_dict(saved[0])
    resumed.optimiser.load_state_dict(saved[1])
    resumed.temps.load_state_dict(saved[2])
    resumed.run(7, start=6)
    assert resumed.temps.temperatures == whole.temps.temperatures
    for name, value in whole.student.state_dict().items():
        assert torch.equal(value, resumed.student.state_dict()[name]), name


def test_nobody_has_to_call_meta_step_when_none_is_due() -> None:
    loop = Loop(interval=3)
    due = []
    for inputs, teacher_logits, labels in batches(7):
        loop.temps.loss(loop.student(inputs), teacher_logits, labels).backward()
        loop.optimiser.step()
        due.append(loop.temps.is_due)
        assert (loop.temps.meta_step(inputs, labels) is not None) == due[-1]
        assert not loop.temps.is_due
    assert due == [True, False, False, True, False, False, True]


def test_the_gradient_is_that_of_re_run_steps() -> None:
    """End to end in float64: dM/d log τ against the meta loss at other temperatures."""

    def loop_at(shift: Tensor) -> tuple[Loop, tuple[Tensor, Tensor]]:
        loop = Loop(wrap=lambda s: s.double(), interval=1, meta_fraction=1.0)
        loop.temps.double()
        with torch.no_grad():
            next(iter(loop.temps.parameters())).add_(shift)
        torch.manual_seed(0)
        inputs, teacher_logits, labels = (
            x.double() if x.is_floating_point() else x for x in next(batches(1))
        )
        loop.temps.loss(loop.student(inputs), teacher_logits, labels).backward()
        loop.optimiser.step()
        held_inputs, _, held_labels = next(batches(1, start=50))
        return loop, (held_inputs.double(), held_labels)

    def meta_loss_at(shift: Tensor) -> float:
        loop, (inputs, labels) = loop_at(shift)
        torch.manual_seed(9)
        for module in loop.student.modules():
            module.track_running_stats = False
        return float(F.cross_entropy(loop.student(inputs), labels).detach())

    loop, held_out = loop_at(torch.zeros(2))
    torch.manual_seed(9)
    step = loop.temps.meta_step(*held_out)
    assert step is not None
    epsilon = 1e-5
    for index, unit in enumerate(torch.eye(2, dtype=torch.float64)):
        slope = (meta_loss_at(epsilon * unit) - meta_loss_at(-epsilon * unit)) / (2 * epsilon)
        assert slope == pytest.approx(float(step.gradient[index]), rel=1e-5)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_skipped_counted_and_told(
    poison: float, caplog: pytest.LogCaptureFixture
) -> None:
    loop = Loop(interval=1)
    loop.run(3)
    before = copy.deepcopy(loop.temps.state_dict())
    inputs, teacher_logits, labels = next(batches(1))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            loop.optimiser.zero_grad()
            loop.temps.loss(loop.student(inputs), teacher_logits, labels).backward()
            loop.optimiser.step()
            step = loop.temps.meta_step(inputs * poison, labels)
            assert step is not None
            assert step.is_skipped
    assert loop.temps.skipped == 2
    (record,) = caplog.records
    assert record.getMessage().startswith("the meta gradient is not finite")
    after = loop.temps.state_dict()
    for name, value in before.items():
        if isinstance(value, Tensor):
            assert torch.equal(value, after[name]), name
    loop.run(2)
    assert loop.temps.temperatures != tuple(before["_tempered.temperatures.log_tau"].exp().tolist())


def test_training_may_run_in_bfloat16() -> None:
    """Under autocast the meta gradient is that of float32 up to bfloat16's own error."""

    def gradients(enabled: bool) -> tuple[Tensor, list[Tensor]]:
        loop = Loop(wrap=lambda s: nn.Sequential(s[0], s[2], s[4]), interval=1, meta_fraction=1.0)
        found, dtypes = [], []
        loop.temps._rule.register_forward_pre_hook(lambda *args: None)
        for inputs, teacher_logits, labels in batches(10):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                logits = loop.student(inputs)
                loss = loop.temps.loss(logits, teacher_logits, labels)
            loop.optimiser.zero_grad()
            loss.backward()
            loop.optimiser.step()
            step = loop.temps.meta_step(inputs, labels)
            assert step is not None
            dtypes.append(logits.dtype)
            found.append(step.gradient)
        assert set(dtypes) == {torch.bfloat16 if enabled else torch.float32}
        assert all(g.dtype == torch.float32 for g in found)
        return torch.cat(found), found

    half, full = gradients(True)[0], gradients(False)[0]
    assert (half - full).norm() < 0.1 * full.norm()
    assert not torch.equal(half, full)


class InPlaceBefore(Loop):
    """Compiled in place, then watched."""

    def __init__(self) -> None:
        super().__init__(wrap=_compiled_in_place)


class InPlaceAfter(Loop):
    """Watched, then compiled in place."""

    def __init__(self) -> None:
        super().__init__()
        _compiled_in_place(self.student)


class WatchedInside(Loop):
    """The bare module is watched, and the compiled one called."""

    def __init__(self) -> None:
        super().__init__()
        self.student = torch.compile(self.student, backend="aot_eager")  # type: ignore[assignment]


def _compiled_in_place(student: nn.Module) -> nn.Module:
    student.compile(backend="aot_eager")
    return student


def _compiled_around() -> Loop:
    return Loop(wrap=lambda student: torch.compile(student, backend="aot_eager"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [_compiled_around, InPlaceBefore, InPlaceAfter, WatchedInside])
def test_a_compiled_student_learns_as_a_plain_one(make: Callable[[], Loop]) -> None:
    torch._dynamo.reset()
    plain, compiled = Loop(), make()
    for loop in (plain, compiled):
        for module in loop.student.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    assert len(plain.run(8)) == len(compiled.run(8)) == 4
    assert compiled.temps.temperatures == pytest.approx(plain.temps.temperatures, rel=1e-3)
    counts = [loop.student.state_dict() for loop in (plain, compiled)]
    tracked = [[int(v) for n, v in c.items() if "num_batches" in n] for c in counts]
    assert tracked == [[8], [8]]


def test_accumulated_gradients_count_as_one_step() -> None:
    loop = Loop(interval=1)
    for number, (inputs, teacher_logits, labels) in enumerate(batches(6)):
        (loop.temps.loss(loop.student(inputs), teacher_logits, labels) / 2).backward()
        if number % 2 == 1:
            loop.optimiser.step()
            assert loop.temps.meta_step(inputs, labels) is not None
            loop.optimiser.zero_grad()
        else:
            assert not loop.temps.is_due
    assert loop.temps.steps == 3


def test_an_evaluation_in_between_is_not_a_step() -> None:
    loop = Loop(interval=1)
    inputs, teacher_logits, labels = next(batches(1))
    loss = loop.temps.loss(loop.student(inputs), teacher_logits, labels)
    loop.student.eval()
    with torch.no_grad():
        loop.student(inputs[:3])
    loop.student.train()
    loss.backward()
    loop.optimiser.step()
    assert loop.temps.meta_step(inputs, labels) is not None


def test_a_longer_horizon_works_in_the_loop_too() -> None:
    loop = Loop(interval=3, horizon=2)
    assert len(loop.run(10)) == 3
    assert loop.temps.steps == 10


def test_zero_grad_right_after_the_step_does_no_harm() -> None:
    taus = []
    for eager in (False, True):
        loop = Loop(interval=1)
        loop.optimiser = AdamW(loop.student.parameters(), lr=0.01)
        loop.temps.watch(loop.student, loop.optimiser)
        for inputs, teacher_logits, labels in batches(6):
            loop.optimiser.zero_grad()
            torch.manual_seed(4)
            loop.temps.loss(loop.student(inputs), teacher_logits, labels).backward()
            loop.optimiser.step()
            if eager:
                loop.optimiser.zero_grad(set_to_none=False)
            loop.temps.meta_step(inputs, labels)
        taus.append(loop.temps.temperatures)
    assert taus[0] == taus[1]


def test_what_cannot_be_watched_is_refused_with_the_reason() -> None:
    temps, student = MetaTemperature(), make_student()
    with pytest.raises(UnknownOptimiserError, match=r"Adadelta.*SGD, Adam, AdamW"):
        temps.watch(student, Adadelta(student.parameters()))
    with pytest.raises(ValueError, match="moves no parameter of the student"):
        temps.watch(student, SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
    frozen = make_student().requires_grad_(False)
    with pytest.raises(ValueError, match="moves no parameter of the student"):
        temps.watch(frozen, SGD(frozen.parameters(), lr=0.1))
    with pytest.raises(RuntimeError, match="call watch"):
        temps.meta_step(torch.zeros(2, D), torch.zeros(2, dtype=torch.int64))


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"got tau_s=0\.0"):
        MetaTemperature(init=0.0)
    with pytest.raises(ValueError, match=r"\(16, 4\) and \(16, 7\)"):
        MetaTemperature().loss(torch.zeros(B, C), torch.zeros(B, 7), torch.zeros(B).long())

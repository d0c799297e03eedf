"""Loops, optimisers and models as people have them, against central differences in float64.

Each case takes two steps, then one whose temperatures are moved a little; what the meta loss does
after it is what the look-ahead has to say, whatever the loop, the optimiser and the model are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.utils.checkpoint import checkpoint

from metakd.core import MetaTemperature

B, D, C, T = 12, 6, 4, 3
DOUBLE = torch.float64


class Body(nn.Module):
    """A small network with what makes passes differ from each other: dropout and BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(D, 10), nn.Linear(10, C)
        self.middle = nn.Sequential(nn.BatchNorm1d(10), nn.Tanh(), nn.Dropout(0.2))

    def forward(self, x: Any) -> Any:
        return self.last(self.middle(self.first(x)))


class Spectral(Body):
    def __init__(self) -> None:
        super().__init__()
        self.first = spectral_norm(self.first)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(D, D), nn.Linear(D, D)
        self.second.weight = self.first.weight
        self.last = nn.Linear(D, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x).tanh()).tanh())


class Shared(nn.Module):
    """One module in two places, as ALBERT repeats its layers."""

    def __init__(self) -> None:
        super().__init__()
        again = nn.Linear(D, D)
        self.layers = nn.Sequential(again, nn.Tanh(), again, nn.Tanh())
        self.last = nn.Linear(D, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layers(x))


class Frozen(Body):
    """Its first layer is not trained, and its BatchNorm evaluates while the rest trains."""

    def __init__(self) -> None:
        super().__init__()
        self.first.requires_grad_(False)
        self.middle[0].running_mean.normal_()

    def train(self, mode: bool = True) -> "Frozen":
        super().train(mode)
        self.middle[0].eval()
        return self


class Checkpointed(Body):
    def forward(self, x: Tensor) -> Tensor:
        return self.last(checkpoint(self.middle, self.first(x), use_reentrant=True))


class Pair(Body):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.middle(self.first(x))
        return features, self.last(features)


class Named(Body):
    def forward(self, x: dict[str, Tensor]) -> dict[str, Any]:
        return {"hidden": [], "logits": super().forward(x["x"] * x["mask"])}


@dataclass
class Outputs:
    loss: None
    logits: Tensor


class Data(Body):
    def forward(self, x: Tensor) -> Outputs:
        return Outputs(None, super().forward(x))


class Masked(Body):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).masked_fill(torch.arange(C) == 2, -torch.inf)


class Pixels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, C, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.view(B, 2, T, 1)).tanh() * 2


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(2, 8), nn.Linear(8, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x.view(B, T, 2)).tanh())


class Case(NamedTuple):
    """A model, how its logits are read, and the shape that labels have."""

    make: Callable[[], nn.Module] = Body
    logits: Callable[[Any], Tensor] = lambda returned: returned
    shape: tuple[int, ...] = (B, C)
    class_dim: int = 1
    inputs: Callable[[Tensor], Any] = lambda x: x
    output: Callable[[Any], Tensor] | None = None


MODELS = {
    "plain": Case(),
    "spectral norm": Case(Spectral),
    "tied weights": Case(Tied),
    "shared module": Case(Shared),
    "frozen part, BatchNorm evaluates": Case(Frozen),
    "reentrant checkpoint": Case(Checkpointed),
    "tuple": Case(Pair, lambda returned: returned[1]),
    "mappings in and out": Case(
        Named,
        lambda returned: returned["logits"],
        inputs=lambda x: {"x": x, "mask": (x > -1).to(x.dtype)},
    ),
    "dataclass": Case(Data, lambda returned: returned.logits),
    "masked classes": Case(Masked),
    "computed logits": Case(
        Pair,
        lambda returned: 2 * returned[1],
        output=lambda returned: 2 * returned[1],
    ),
    "pixels (B, C, H, W)": Case(Pixels, shape=(B, C, T, 1)),
    "tokens (B, T, V)": Case(Tokens, shape=(B, T, C), class_dim=2),
}


def groups(student: nn.Module) -> list[dict[str, Any]]:
    parameters = [p for p in student.parameters() if p.requires_grad]
    return [
        {"params": parameters[:2], "lr": 0.03, "weight_decay": 0.1},
        {"params": parameters[2:], "lr": 0.1},
    ]


OPTIMISERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "sgd": lambda s: SGD(s.parameters(), lr=0.1),
    "nesterov": lambda s: SGD(s.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    "fused sgd": lambda s: SGD(s.parameters(), lr=0.1, momentum=0.9, fused=True),
    "groups": lambda s: SGD(groups(s), momentum=0.9),
    "foreach adam": lambda s: Adam(s.parameters(), lr=0.02, foreach=True, weight_decay=0.01),
    "adamw": lambda s: AdamW(s.parameters(), lr=0.02),
    "fused adamw": lambda s: AdamW(s.parameters(), lr=0.02, fused=True),
}


class Bench:
    """A student in training, and what a loop of any kind needs for one step."""

    def __init__(self, model: str, optimiser: str, **settings: Any) -> None:
        torch.manual_seed(5)
        self.case = MODELS[model]
        self.student = self.case.make().to(DOUBLE).train()
        self.optimiser = OPTIMISERS[optimiser](self.student)
        self.temps = MetaTemperature(interval=1, meta_fraction=1.0, **settings).double()
        self.temps.watch(self.student, self.optimiser, self.case.output)

    def batch(self, number: int) -> tuple[Any, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(number)
        x = torch.randn(B, D, generator=generator, dtype=DOUBLE)
        shape, dim = self.case.shape, self.case.class_dim
        teacher_logits = 3 * torch.randn(shape, generator=generator, dtype=DOUBLE)
        labels_shape = shape[:dim] + shape[dim + 1 :]
        labels = torch.randint(2, labels_shape, generator=generator)
        if self.case.make is Masked:
            teacher_logits[:, 2] = -torch.inf
        return self.case.inputs(x), teacher_logits, labels

    def loss(self, number: int) -> Tensor:
        inputs, teacher_logits, labels = self.batch(number)
        logits = self.case.logits(self.student(inputs))
        return self.temps.loss(logits, teacher_logits, labels)

    def other_pass(self) -> Tensor:
        outputs = self.case.logits(self.student(self.batch(77)[0]))
        return outputs.nan_to_num(neginf=0.0).square().mean()

    def meta_loss(self) -> Tensor:
        inputs, _, labels = self.batch(99)
        torch.manual_seed(9)
        logits = self.case.logits(self.student(inputs)).movedim(self.case.class_dim, 1)
        return F.cross_entropy(logits, labels)


def descend(bench: Bench, loss: Tensor) -> None:
    bench.optimiser.zero_grad()
    loss.backward()
    bench.optimiser.step()


def plain(bench: Bench, number: int) -> None:
    descend(bench, bench.loss(number))


def second_view_after(bench: Bench, number: int) -> None:
    loss = bench.loss(number)
    bench.other_pass()
    descend(bench, loss)


def second_view_between(bench: Bench, number: int) -> None:
    inputs, teacher_logits, labels = bench.batch(number)
    logits = bench.case.logits(bench.student(inputs))
    bench.other_pass()
    descend(bench, bench.temps.loss(logits, teacher_logits, labels))


def second_view_before(bench: Bench, number: int) -> None:
    bench.other_pass()
    descend(bench, bench.loss(number))


def validation_between(bench: Bench, number: int) -> None:
    loss = bench.loss(number)
    bench.student.eval()
    with torch.no_grad():
        bench.other_pass()
        bench.loss(3)
    bench.student.train()
    descend(bench, loss)


def validation_after(bench: Bench, number: int) -> None:
    bench.student.train()
    plain(bench, number)
    bench.student.eval()
    bench.other_pass()


def closure(bench: Bench, number: int) -> None:
    def evaluate() -> float:
        bench.optimiser.zero_grad()
        loss = bench.loss(number)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    bench.optimiser.step(evaluate)


def training_in_eval_mode(bench: Bench, number: int) -> None:
    bench.student.eval()
    plain(bench, number)


def inference_mode_teacher(bench: Bench, number: int) -> None:
    inputs, _, _ = bench.batch(number)
    with torch.inference_mode():
        _, teacher_logits, labels = bench.batch(number)
    logits = bench.case.logits(bench.student(inputs))
    descend(bench, bench.temps.loss(logits, teacher_logits, labels))


def reused_tensors(bench: Bench, number: int) -> None:
    """The next batch lies in the memory of the last, as pinned or captured buffers have it."""
    inputs, teacher_logits, labels = bench.batch(number)
    loss = bench.temps.loss(bench.case.logits(bench.student(inputs)), teacher_logits, labels)
    descend(bench, loss)
    for tensor in (*(inputs.values() if isinstance(inputs, dict) else [inputs]), teacher_logits):
        tensor.zero_()


def late(bench: Bench, number: int) -> None:
    plain(bench, number)
    bench.other_pass()  # the next batch's pass, before anybody looks back
    bench.temps.is_due  # noqa: B018


LOOPS = {
    loop.__name__: loop
    for loop in (
        plain,
        second_view_after,
        second_view_between,
        second_view_before,
        validation_between,
        validation_after,
        closure,
        training_in_eval_mode,
        inference_mode_teacher,
        reused_tensors,
        late,
    )
}
COMBINED = [
    *((loop, "nesterov", model) for loop in LOOPS for model in MODELS),
    *((loop, optimiser, "plain") for loop in LOOPS for optimiser in OPTIMISERS),
    *(("plain", optimiser, model) for optimiser in OPTIMISERS for model in MODELS),
]


def after_a_step(
    loop: str, optimiser: str, model: str, shift: Tensor | None, **settings: Any
) -> Bench:
    bench = Bench(model, optimiser, **settings)
    for number in range(3):
        if number == 2 and shift is not None:
            with torch.no_grad():
                next(iter(bench.temps.parameters())).add_(shift)
        torch.manual_seed(number)
        LOOPS[loop](bench, number)
    return bench


def slope(*case: str, **settings: Any) -> list[float]:
    """Returns what the meta loss does as both temperatures of the third step move."""

    def meta_loss(shift: Tensor) -> float:
        bench = after_a_step(*case, shift=shift, **settings)
        # What a look-ahead judges by is passed as the step itself was.
        bench.student.train(case[0] != "training_in_eval_mode")
        for module in bench.student.modules():
            if isinstance(module, nn.BatchNorm1d) and module.training:
                module.track_running_stats = False
        return float(bench.meta_loss().detach())

    epsilon = 1e-5
    return [
        (meta_loss(epsilon * unit) - meta_loss(-epsilon * unit)) / (2 * epsilon)
        for unit in torch.eye(2, dtype=DOUBLE)
    ]


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize(("loop", "optimiser", "model"), sorted(set(COMBINED)))
def test_the_look_ahead_is_the_slope_of_the_loops_own_step(
    loop: str, optimiser: str, model: str
) -> None:
    expected = slope(loop, optimiser, model)
    bench = after_a_step(loop, optimiser, model, shift=None)
    state = {name: value.clone() for name, value in bench.student.state_dict().items()}
    parameters = list(bench.student.parameters())
    inputs, _, labels = bench.batch(99)
    torch.manual_seed(9)
    found = bench.temps.meta_step(inputs, labels, *bench_objective(bench))
    assert found is not None
    assert found.gradient is not None
    assert max(map(abs, expected)) > 1e-6, "a vanishing slope would prove nothing"
    assert found.gradient.tolist() == pytest.approx(expected, rel=2e-4, abs=1e-8)
    for name, value in bench.student.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert all(a is b for a, b in zip(parameters, bench.student.parameters(), strict=True))
    assert (bench.temps.meta_steps, bench.temps.skipped) == (1, 0)


def bench_objective(bench: Bench) -> list[Callable[[Any, Tensor], Tensor]]:
    """Returns the objective that a loop has to give for outputs which it computes from."""
    if bench.case.output is None:
        return []
    return [lambda returned, labels: F.cross_entropy(bench.case.logits(returned), labels)]


@pytest.mark.parametrize("estimator", ["double_backward", "finite_difference"])
@pytest.mark.parametrize("model", MODELS)
def test_the_other_estimators_agree(estimator: str, model: str) -> None:
    gradients = []
    for chosen in ("jvp", estimator):
        bench = after_a_step("second_view_after", "adamw", model, None, estimator=chosen)
        inputs, _, labels = bench.batch(99)
        torch.manual_seed(9)
        found = bench.temps.meta_step(inputs, labels, *bench_objective(bench))
        assert found is not None
        gradients.append(found.gradient)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("form", ["separate", "shared", "per_class", "per_sample", "alignment"])
@pytest.mark.parametrize("model", ["masked classes", "pixels (B, C, H, W)", "tokens (B, T, V)"])
def test_every_form_learns_from_logits_of_every_shape(form: str, model: str) -> None:
    settings: dict[str, Any] = {"form": form}
    if form == "per_class":
        settings["num_classes"] = C
    if form == "alignment":
        settings = {"rule": "alignment"}
    bench = Bench(model, "adamw", **settings)
    start = bench.temps.temperatures
    for number in range(4):
        plain(bench, number)
        inputs, _, labels = bench.batch(50 + number)
        bench.temps.meta_step(inputs, labels)
    assert (bench.temps.meta_steps, bench.temps.skipped) == (4, 0)
    assert bench.temps.temperatures != start
    assert all(0.25 <= tau <= 64 for tau in bench.temps.temperatures)

"""MMKD's look-aheads against double backward through steps written out by hand, in float64."""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from ensemble_bench import BATCH, CLASSES, Teachers, begun
from one_thread import one_thread as one_thread
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import SGD

from metakd.core.batches import Batch
from metakd.core.distillers import MMKDConfig
from metakd.core.distillers.mmkd import MMKD
from metakd.core.lookahead import Estimator, TakenStep
from metakd.core.lookahead.sweep import MetaGradient
from metakd.core.matched_student import MatchedStudent

TEACHERS = Teachers(dtype=torch.float64)
LR, MOMENTUM, DECAY = 0.07, 0.9, 5e-3
Values = dict[str, Tensor]


class Bench:
    """A student, its optimiser and MMKD; what a look-ahead finds is kept and moves nothing."""

    def __init__(self, config: MMKDConfig, **sgd: Any) -> None:
        self.config = config
        self.trained, distiller, _ = begun(config, TEACHERS)
        assert isinstance(distiller, MMKD)
        self.distiller = distiller
        self.optimiser = SGD(self.trained.parameters(), lr=LR, **sgd)
        distiller.attach(self.trained, self.optimiser)
        self.found: list[MetaGradient] = []
        distiller._learned.move = lambda found, seen, group: self.found.append(found)

    def step(self, number: int) -> TakenStep:
        batch = TEACHERS.at(number)
        taken = TakenStep(self.trained, self.optimiser)
        self.optimiser.zero_grad()
        self.distiller.loss(self.trained(batch.inputs), batch).total.backward()
        self.optimiser.step()
        self.distiller.after_step(LR)
        return taken

    def phi(self) -> list[Tensor]:
        return [value.detach().clone().requires_grad_() for value in self.distiller._learned.phi]


@dataclass
class ByHand:
    """The same losses, without a line of the product but the student's own modules."""

    trained: nn.Module
    config: MMKDConfig
    phi: list[Tensor]

    def outputs(self, theta: Values, inputs: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        flat = functional_call(self.trained, theta, (inputs,))
        if not isinstance(self.trained, MatchedStudent):
            return flat, flat, []
        sizes = [CLASSES, 6 * 4 * 4, 5 * 2 * 2, 7 * 4 * 4, 6]
        logits, own, a, b, c = flat.split(sizes, dim=1)
        shaped = [a.reshape(-1, 5, 2, 2), b.reshape(-1, 7, 4, 4), c.reshape(-1, 6, 1, 1)]
        return logits, own.reshape(-1, 6, 4, 4), shaped

    def weights(self, read: Tensor, first: int) -> Tensor:
        a, b, c, d = self.phi[first : first + 4]
        scores = (read @ a.T + b).clamp_min(0) @ c.T + d
        return scores.exp() / scores.exp().sum(dim=1, keepdim=True)

    def parts(self, theta: Values, batch: Batch) -> tuple[Tensor, Tensor]:
        """Returns CE, and what the teachers contribute: α KD + β features."""
        config = self.config
        logits, own, adapted = self.outputs(theta, batch.inputs)
        teachers = batch.ensemble_logits
        assert teachers is not None
        ce = -logits.log_softmax(1).gather(1, batch.labels[:, None]).mean()
        w = self.weights(torch.cat([teachers.flatten(1), logits.detach()], dim=1), 0)
        p = (teachers / config.tau_t).softmax(dim=2)
        log_q = (logits / config.tau_s).log_softmax(dim=1)[:, None]
        divergences = (p * (p.log() - log_q)).sum(dim=2)
        matching = config.alpha * config.tau_s * config.tau_t * (w * divergences).sum(1).mean()
        if adapted:
            distances = []
            for mine, theirs in zip(adapted, batch.teacher_features, strict=True):
                target = F.adaptive_avg_pool2d(theirs, mine.shape[2:])
                unit = 1.0 if config.feature_units == "raw" else theirs.square().mean()
                distances.append((mine - target).square().mean(dim=(1, 2, 3)) / unit)
            v = self.weights(self.read_of_features(own.detach(), batch), 4)
            matching = matching + config.features_weight * (
                (v * torch.stack(distances, dim=1)).sum(1).mean()
            )
        return ce, matching

    def read_of_features(self, own: Tensor, batch: Batch) -> Tensor:
        maps = [*batch.teacher_features, own]
        if self.config.feature_input == "pooled":
            rows = [features.mean(dim=(2, 3)) for features in maps]
        else:
            rows = [features.flatten(1) @ features.flatten(1).T for features in maps]
        if self.config.feature_input != "gram_raw":
            rows = [row / row.norm(dim=1, keepdim=True) for row in rows]
        return torch.cat(rows, dim=1)


def assert_close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    assert len(found) == len(expected)
    scale = max(float(each.abs().max()) for each in expected)
    assert scale > 1e-8, "a vanishing reference would prove nothing"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * scale)


def sgd(theta: Values, velocity: Values, slopes: Values, nesterov: bool) -> tuple[Values, Values]:
    moved, after = {}, {}
    for name, value in theta.items():
        d = slopes[name] + DECAY * value
        after[name] = MOMENTUM * velocity[name] + d if name in velocity else d
        moved[name] = value - LR * (d + MOMENTUM * after[name] if nesterov else after[name])
    return moved, after


ONE_STEP = MMKDConfig(
    interval=1, meta_fraction=0.5, start="random", tau_s=3.0, tau_t=2.0, alpha=0.7
)


@pytest.mark.parametrize("estimator", ["jvp", "double_backward"])
@pytest.mark.parametrize("features_weight", [0.0, 2.0])
def test_one_step_is_double_backward_through_the_step(
    features_weight: float, estimator: Estimator
) -> None:
    config = replace(ONE_STEP, features_weight=features_weight, estimator=estimator)
    bench = Bench(config)
    before = deepcopy(bench.trained)
    batch, judge = TEACHERS.at(0), Teachers(dtype=torch.float64, seed=9).at(0)
    bench.distiller.remember(bench.step(0), batch)
    after = deepcopy(bench.trained)
    bench.distiller.meta_step(judge)
    (found,) = bench.found

    # The look-ahead passes half of the batch; θ' is where the whole of it led.
    hand = ByHand(before, config, bench.phi())
    theta = {name: value.detach().requires_grad_() for name, value in before.named_parameters()}
    ce, matching = hand.parts(theta, batch.first(BATCH // 2))
    total = (1 - config.alpha) * ce + matching
    slopes = torch.autograd.grad(total, list(theta.values()), create_graph=True)
    theirs = dict(after.named_parameters())
    moved = {
        name: theirs[name].detach() + (value - LR * slope) - (value - LR * slope).detach()
        for (name, value), slope in zip(theta.items(), slopes, strict=True)
    }
    logits, _, _ = hand.outputs(moved, judge.inputs)
    expected = torch.autograd.grad(F.cross_entropy(logits, judge.labels), hand.phi)
    assert len(expected) == (8 if features_weight else 4)
    assert_close(found.of_phi, expected)


THREE_STEPS = replace(
    MMKDConfig.reference(),
    interval=1,
    buffer_size=2 * BATCH,
    features_weight=2.0,
    feature_input="pooled",
    alpha=0.7,
)


@pytest.mark.parametrize("steps_before", [1, 3])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"features_weight": 0.0},
        {"feature_input": "gram", "feature_units": "relative", "rectified": False},
        {"estimator": "double_backward"},
    ],
    ids=str,
)
def test_three_steps_are_the_graph_unrolled_by_hand(
    change: dict[str, Any], nesterov: bool, steps_before: int
) -> None:
    config = replace(THREE_STEPS, **change)
    bench = Bench(config, momentum=MOMENTUM, weight_decay=DECAY, nesterov=nesterov)
    for number in range(steps_before):
        bench.step(number)
    if steps_before == 1:
        bench.optimiser.state.clear()  # from a cold start too
    drawn: list[Batch] = []
    buffer = bench.distiller._buffer
    assert buffer is not None
    draw = buffer.draw
    buffer.draw = lambda samples: drawn.append(draw(samples)) or drawn[-1]
    before = deepcopy(bench.trained)
    velocity = {
        name: bench.optimiser.state[value]["momentum_buffer"].clone()
        for name, value in bench.trained.named_parameters()
        if value in bench.optimiser.state
    }
    bench.distiller.meta_step(TEACHERS.at(0))
    (found,), (batch,) = bench.found, drawn

    hand = ByHand(before, config, bench.phi())
    theta = {name: value.detach().requires_grad_() for name, value in before.named_parameters()}
    for part in (1, 1, 0):
        loss = hand.parts(theta, batch)[part]
        leaves = list(theta.values())
        slopes = torch.autograd.grad(
            loss, leaves, create_graph=True, allow_unused=True, materialize_grads=True
        )
        theta, velocity = sgd(theta, velocity, dict(zip(theta, slopes, strict=True)), nesterov)
    ce, _ = hand.parts(theta, batch)
    expected = torch.autograd.grad(ce, hand.phi)
    torch.testing.assert_close(found.look_ahead.meta_loss, ce.detach())
    assert_close(found.of_phi, expected)


def test_raw_gram_rows_of_real_size_leave_the_feature_network_without_a_gradient() -> None:
    config = replace(THREE_STEPS, feature_input="gram_raw")
    bench = Bench(config)
    assert isinstance(bench.trained, MatchedStudent)
    network = bench.distiller._learned.networks["features"]
    large = TEACHERS.whole._replace(
        teacher_features=tuple(200 * features for features in TEACHERS.whole.teacher_features)
    ).first(BATCH)
    bench.distiller.loss(bench.trained(large.inputs), large)
    bench.distiller.after_step(LR)
    bench.distiller.meta_step(large)
    (found,) = bench.found
    count = len(list(network.parameters()))
    assert all((gradient == 0).all() for gradient in found.of_phi[-count:])
    assert any((gradient != 0).any() for gradient in found.of_phi[:-count])

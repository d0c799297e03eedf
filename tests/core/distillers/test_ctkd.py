"""CTKD: the published method step by step, and what its users ran into."""

import math
import re
from collections.abc import Iterable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import CTKDConfig, Distiller
from metakd.core.losses import decoupled_divergences, distillation_loss
from metakd.core.training import Recipe, Training
from metakd.testing.toy import ToyBatches, new_student

LABELS = torch.tensor([0, 1, 2, 3, 6])
PRESETS = [CTKDConfig(), CTKDConfig.reference()]


def logits(seed: int, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))


def learn(distiller: Distiller, student: Tensor, teacher: Tensor, lr: float = 0.05) -> float:
    """Takes one step of r, with the student held where it is; returns the temperature after it."""
    losses = distiller.loss(student, Batch(student, LABELS, teacher))
    losses.total.backward()
    distiller.after_step(lr)
    taus = distiller.temperatures()
    assert taus is not None
    assert taus[0] == taus[1]
    return taus[0]


def slope_by_tau(student: Tensor, teacher: Tensor, tau: float) -> float:
    at = torch.tensor(tau, dtype=torch.float64, requires_grad=True)
    loss = distillation_loss(student.double(), teacher.double(), LABELS, at, at, 0.9).total
    return float(torch.autograd.grad(loss, at)[0])


def harder_and_easier(
    tau: float, scale: float = 3.0
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Returns logits of both sides whose loss rises with τ there, and ones whose loss falls.

    For large τ, τ² KL is a constant and a third cumulant over τ: the sign of all logits turns it.
    """
    pair = logits(1, scale), logits(0, scale)
    turned = -pair[0], -pair[1]
    easier, harder = sorted((pair, turned), key=lambda both: slope_by_tau(*both, tau))
    assert slope_by_tau(*easier, tau) < 0 < slope_by_tau(*harder, tau)
    return harder, easier


@pytest.mark.parametrize("config", PRESETS, ids=["default", "reference"])
def test_it_starts_at_15_6_as_published(config: CTKDConfig) -> None:
    tau = 1 + 20 / (1 + math.exp(-1))
    assert config.build().temperatures() == pytest.approx((tau, tau))
    assert round(tau, 1) == 15.6
    started = CTKDConfig(start=-1.0, bounds=(0.5, 8.5)).build().temperatures()
    assert started == pytest.approx([0.5 + 8 / (1 + math.e)] * 2)


class Reversed(torch.autograd.Function):
    """The identity, whose backward pass multiplies by a number."""

    @staticmethod
    def forward(ctx: Any, r: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return r.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * gradient, None


def test_the_reference_takes_the_published_steps() -> None:
    """Against gradient reversal, a cosine from 0 to −1 and torch's SGD, as the code has them."""
    distiller = CTKDConfig.reference().build()
    r = torch.ones(1, requires_grad=True)
    sgd = torch.optim.SGD([r], lr=0.05, momentum=0.9, weight_decay=5e-4)
    for epoch in range(12):
        distiller.start_epoch(epoch, 240)
        loops = min(epoch + 1, 10)
        factor = (math.cos(math.pi * loops / 10) + 1) / 2 - 1
        for step in range(3):
            z, teacher = logits(10 * epoch + step), logits(0)
            tau = 1 + 20 * torch.sigmoid(Reversed.apply(r, factor))
            soft = F.kl_div(
                F.log_softmax(z / tau, dim=1),
                F.softmax(teacher / tau, dim=1),
                reduction="batchmean",
            )
            loss = 0.1 * F.cross_entropy(z, LABELS) + 0.9 * soft * tau * tau
            found = distiller.loss(z, Batch(z, LABELS, teacher))
            torch.testing.assert_close(found.total, loss[0], rtol=1e-4, atol=1e-5)
            sgd.zero_grad()
            loss.sum().backward()
            sgd.step()
            learn(distiller, z, teacher)
            torch.testing.assert_close(
                distiller.state_dict()["r"], r[0].detach(), rtol=1e-4, atol=1e-5
            )
    assert abs(r.item() - 1) > 0.01


@pytest.mark.parametrize("config", PRESETS, ids=["default", "reference"])
def test_the_temperature_moves_to_where_the_loss_is_larger(config: CTKDConfig) -> None:
    for pair, sign in zip(harder_and_easier(15.6), (1, -1), strict=True):
        distiller = config.build()
        distiller.start_epoch(239, 240)
        moved = learn(distiller, *pair, lr=0.01) - 15.6211715
        assert sign * moved > 1e-5


def moved_in_epoch(config: CTKDConfig, epoch: int, epochs: int) -> float:
    distiller = config.build()
    distiller.start_epoch(epoch, epochs)
    harder, _ = harder_and_easier(15.6)
    learn(distiller, *harder, lr=0.0)
    return float(distiller.state_dict()["velocity"])


def test_the_curriculum_is_a_24th_of_the_run_which_is_the_published_one_at_240_epochs() -> None:
    default, published = CTKDConfig(), CTKDConfig(curriculum_epochs=10.0)
    whole = moved_in_epoch(default, 239, 240)
    assert whole < 0 or whole > 0
    for epoch in (0, 4, 9, 100):
        share = (1 - math.cos(math.pi * min((epoch + 1) / 10, 1))) / 2
        for config in (default, published):
            assert moved_in_epoch(config, epoch, 240) == pytest.approx(share * whole, rel=1e-4)
    assert moved_in_epoch(default, 0, 24) == pytest.approx(whole)
    assert moved_in_epoch(published, 4, 24) == pytest.approx(whole / 2)
    assert moved_in_epoch(CTKDConfig(curriculum_epochs=0.0), 0, 24) == pytest.approx(whole)


def driven_up_then_down(config: CTKDConfig, start: float) -> Iterable[float]:
    distiller = config.build()
    distiller.load_state_dict({"r": torch.tensor(start), "velocity": torch.tensor(0.0)})
    harder, easier = harder_and_easier(20.5, scale=10.0)
    for pair in (harder, easier):
        for _ in range(100):
            tau = learn(distiller, *pair)
        yield tau


def test_at_its_bound_the_reference_is_stuck_and_the_default_comes_back() -> None:
    # One large step, as DKD's gradients made it take, and r is where float32's sigmoid is 1.
    assert list(driven_up_then_down(CTKDConfig.reference(), 40.0)) == [21.0, 21.0]
    high, back = driven_up_then_down(CTKDConfig(), 40.0)
    assert high == pytest.approx(1 + 20 / (1 + math.exp(-4)))
    assert back < high - 1


def test_held_at_its_bound_it_keeps_no_momentum_that_it_would_have_to_lose_first() -> None:
    harder, easier = harder_and_easier(20.5)
    distiller = CTKDConfig(largest_r=1.5).build()
    distiller.load_state_dict({"r": torch.tensor(1.5), "velocity": torch.tensor(-50.0)})
    at_bound = learn(distiller, *harder, lr=1.0)
    assert at_bound == pytest.approx(1 + 20 / (1 + math.exp(-1.5)))
    assert learn(distiller, *easier, lr=1.0) < at_bound


@pytest.mark.parametrize("r", [-4.0, 0.0, 4.0])
@pytest.mark.parametrize("scale", [1.0, 1e3, 6e4, 1e6])
def test_with_dkd_it_is_finite_at_all_temperatures(r: float, scale: float) -> None:
    config = CTKDConfig(taught_by="dkd", bounds=(0.25, 64.0), start=r)
    for teacher in (logits(0, scale), logits(1, scale), -logits(1, scale)):
        distiller, z = config.build(), logits(1, scale).requires_grad_()
        losses = distiller.loss(z, Batch(z, LABELS, teacher))
        losses.total.backward()
        distiller.after_step(0.05)
        assert losses.kd is not None
        assert z.grad is not None
        for part in (losses.total, losses.kd, z.grad, *distiller.state_dict().values()):
            assert part.isfinite().all()


def test_with_dkd_its_loss_is_dkds_at_its_temperature() -> None:
    config = CTKDConfig(taught_by="dkd", others_weight=3.0)
    found = config.build().loss(logits(1), Batch(logits(1), LABELS, logits(0)))
    tau = 1 + 20 / (1 + math.exp(-1))
    target, others = decoupled_divergences(logits(1), logits(0), LABELS, tau)
    expected = F.cross_entropy(logits(1), LABELS) + tau**2 * (target + 3 * others).mean()
    torch.testing.assert_close(found.total, expected)
    assert (config.min_classes, CTKDConfig().min_classes) == (3, 2)


@pytest.mark.parametrize("autocast", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("taught_by", ["kd", "dkd"])
def test_in_mixed_precision_it_moves_in_float32(taught_by: Any, autocast: torch.dtype) -> None:
    distiller = CTKDConfig(taught_by=taught_by).build()
    recipe = Recipe(epochs=1, batch_size=8, lr=1e-3)
    training = Training(new_student(5, 0), distiller, recipe, ToyBatches(5), autocast=autocast)
    assert math.isfinite(training.run_epoch().train_loss)
    state = distiller.state_dict()
    assert state["r"].dtype == state["velocity"].dtype == torch.float32
    # Steps that the type of the passes could not tell from none.
    assert 0 < abs(state["r"].item() - 1) < torch.finfo(autocast).eps


@pytest.mark.parametrize("autocast", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("taught_by", ["kd", "dkd"])
def test_large_logits_of_a_coarse_type_are_finite_there_and_back(
    taught_by: Any, autocast: torch.dtype
) -> None:
    distiller, coarse = CTKDConfig(taught_by=taught_by).build(), logits(1, 1e4).to(autocast)
    coarse.requires_grad_()
    losses = distiller.loss(coarse, Batch(coarse, LABELS, logits(0, 1e4).to(autocast)))
    losses.total.backward()
    distiller.after_step(0.05)
    assert coarse.grad is not None
    assert losses.total.dtype == torch.float32
    for part in (losses.total, coarse.grad, distiller.state_dict()["r"]):
        assert part.isfinite().all()


def test_it_costs_no_pass_of_its_own() -> None:
    training = Training(new_student(5, 0), CTKDConfig().build(), Recipe(), ToyBatches(5))
    record = training.run_epoch()
    assert record.step_equivalents == ToyBatches.steps_per_epoch
    assert record.temperatures != pytest.approx((15.6211715, 15.6211715))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"taught_by": "mse"}, "got taught_by='mse'"),
        ({"alpha": 1.5}, "alpha=1.5"),
        ({"others_weight": -1.0}, "others_weight=-1.0"),
        ({"bounds": (0.0, 21.0)}, "bounds[0]=0.0"),
        ({"bounds": (4.0, 4.0)}, "got bounds=(4.0, 4.0)"),
        ({"largest_r": 0.0}, "largest_r=0.0"),
        ({"start": 5.0}, "start=5.0, largest_r=4.0"),
        ({"start": math.nan, "largest_r": None}, "start=nan"),
        ({"start": math.inf, "largest_r": None}, "start=inf"),
        ({"curriculum_epochs": -1.0}, "curriculum_epochs=-1.0"),
        ({"momentum": 1.5}, "momentum=1.5"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        CTKDConfig(**fields)

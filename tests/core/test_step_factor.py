import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, AdamW

from metakd.core.step_factor import UnknownOptimiserError, gradient_factors


@given(
    lr=st.floats(1e-3, 1),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    kind=st.sampled_from(["plain", "nesterov", "dampened"]),
    weight_decay=st.sampled_from([0.0, 0.01]),
    maximize=st.booleans(),
    earlier_steps=st.integers(0, 2),
)
@settings(max_examples=60, deadline=None)
def test_the_factor_is_the_slope_of_the_real_step(
    lr: float, momentum: float, kind: str, weight_decay: float, maximize: bool, earlier_steps: int
) -> None:
    def step_after(gradient: float) -> tuple[float, float]:
        theta = torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
        optimiser = SGD(
            [theta],
            lr=lr,
            momentum=momentum,
            nesterov=kind == "nesterov" and momentum > 0,
            dampening=0.25 if kind == "dampened" else 0.0,
            weight_decay=weight_decay,
            maximize=maximize,
        )
        for _ in range(earlier_steps):
            theta.grad = torch.tensor([0.3], dtype=torch.float64)
            optimiser.step()
        factor = gradient_factors(optimiser)[theta]
        before = theta.item()
        theta.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        return before - theta.item(), factor

    (low, factor), (high, _) = step_after(-1.0), step_after(1.0)
    assert factor == pytest.approx((high - low) / 2, rel=1e-9)


def test_another_optimiser_is_named_in_the_error() -> None:
    with pytest.raises(UnknownOptimiserError, match="AdamW"):
        gradient_factors(AdamW([torch.zeros(1, requires_grad=True)]))

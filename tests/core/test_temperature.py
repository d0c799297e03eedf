import math

import pytest
import torch

from metakd.core.temperature import TAU_MAX, TAU_MIN, LearnedTemperatures


def test_it_starts_where_it_is_told() -> None:
    tau_s, tau_t = LearnedTemperatures(2.0, 8.0)()
    assert tau_s.item() == pytest.approx(2.0)
    assert tau_t.item() == pytest.approx(8.0)


@pytest.mark.parametrize("tau", [0.0, -1.0, 0.1, 65.0, math.nan])
def test_a_start_outside_the_bounds_is_refused(tau: float) -> None:
    with pytest.raises(ValueError, match="starts in"):
        LearnedTemperatures(4.0, tau)


def test_it_comes_back_inside_its_bounds() -> None:
    temperatures = LearnedTemperatures(1.0, 1.0)
    with torch.no_grad():
        temperatures.log_tau.copy_(torch.tensor([-9.0, 9.0]))
    temperatures.clamp_()
    tau_s, tau_t = temperatures()
    assert tau_s.item() == pytest.approx(TAU_MIN)
    assert tau_t.item() == pytest.approx(TAU_MAX)

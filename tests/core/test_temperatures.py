import math

import pytest
import torch
from torch import Tensor

from metakd.core.temperatures import TAU_MAX, TAU_MIN, Form, Temperatures, make_temperatures

B, C = 6, 5
FORMS: tuple[Form, ...] = ("separate", "shared", "per_class", "per_sample")


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(2, B, C, generator=generator)
    return logits[0], logits[1], torch.arange(B) % C


def make(form: Form, tau_s: float = 2.0, tau_t: float = 2.0) -> Temperatures:
    return make_temperatures(form, tau_s, tau_t, C if form == "per_class" else None)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_starts_where_it_is_told_for_every_sample(form: Form) -> None:
    temperatures = make(form)
    for tau in temperatures(*batch()):
        assert tau.shape in {(), (B,)}
        assert tau.detach() == pytest.approx(2.0)
    assert temperatures.summary() == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize("form", FORMS)
def test_every_number_of_a_form_can_learn(form: Form) -> None:
    temperatures = make(form)
    with torch.no_grad():  # a zero last layer would hide the first one's gradient
        for parameter in temperatures.parameters():
            parameter += 0.1
    pair = temperatures(*batch())
    gradients = torch.autograd.grad(
        pair.student.sum() + pair.teacher.sum(), temperatures.parameters()
    )
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_separate_temperatures_are_two() -> None:
    assert make("separate", 2.0, 8.0).summary() == pytest.approx((2.0, 8.0))


def test_a_class_has_its_own_and_soft_labels_mix_them() -> None:
    temperatures = make("per_class")
    with torch.no_grad():
        temperatures.log_tau[0] = torch.arange(C).float().mul(0.1)  # type: ignore[union-attr,index]
    student, teacher, labels = batch()
    hard = temperatures(student, teacher, labels).student
    torch.testing.assert_close(hard.log(), 0.1 * labels.float())
    one_hot = torch.nn.functional.one_hot(labels, C).float()
    mixed = (one_hot + one_hot.roll(1, 0)) / 2
    soft = temperatures(student, teacher, mixed).student
    torch.testing.assert_close(soft.log(), 0.05 * (labels + labels.roll(1)).float())


def test_the_per_sample_network_tells_samples_apart_and_draws_nothing() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    temperatures = make("per_sample")
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        for parameter in temperatures.parameters():
            parameter += 0.05
    tau_s, _ = temperatures(*batch())
    assert len(set(tau_s.tolist())) == B
    for mine, other in zip(make("per_sample").parameters(), make("per_sample").parameters()):  # noqa: B905
        assert torch.equal(mine, other)


@pytest.mark.parametrize("form", FORMS)
def test_it_comes_back_inside_its_bounds(form: Form) -> None:
    temperatures = make(form)
    for value, bound in ((99.0, TAU_MAX), (-99.0, TAU_MIN)):
        with torch.no_grad():
            for parameter in temperatures.parameters():
                parameter.fill_(value if form != "per_sample" else 0.0)
            if form == "per_sample":
                temperatures.network[-1].bias.fill_(value)  # type: ignore[union-attr,index]
        temperatures.clamp_()
        for tau in temperatures(*batch()):
            assert tau.detach() == pytest.approx(bound)


@pytest.mark.parametrize("tau", [0.0, -1.0, 0.1, 65.0, math.nan])
def test_a_start_outside_the_bounds_is_refused(tau: float) -> None:
    with pytest.raises(ValueError, match="starts in"):
        make_temperatures("separate", 4.0, tau)


def test_a_form_that_is_not_there_or_lacks_its_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="got form='cosmic'"):
        make_temperatures("cosmic", 4.0, 4.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="need num_classes"):
        make_temperatures("per_class", 4.0, 4.0)
    with pytest.raises(ValueError, match="num_classes is for per_class alone"):
        make_temperatures("shared", 4.0, 4.0, num_classes=C)

"""The conformance suite: our own distillers pass, and each check finds what it is for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from changed_fields import changed_in_one_field
from one_thread import one_thread as one_thread
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import (
    CONFIGS,
    AlignConfig,
    CAMKDConfig,
    CrossEntropyConfig,
    CTKDConfig,
    Distiller,
    DistillerConfig,
    DKDConfig,
    KDConfig,
    KDCosineConfig,
    KDScheduleConfig,
    KDStdConfig,
    LogitStdConfig,
    MeanLogitsConfig,
    MeanLossesConfig,
    MetaDistilConfig,
    MKDConfig,
    MMKDConfig,
    NormKDConfig,
    RLDConfig,
    ScaleFreeKDConfig,
    TTMConfig,
    WTTMConfig,
)
from metakd.core.distillers.kd import KD
from metakd.core.losses import Losses
from metakd.testing import check_distiller
from metakd.testing.distiller import Run

DISTILLERS: list[DistillerConfig] = [
    CrossEntropyConfig(),
    KDConfig(),
    ScaleFreeKDConfig(tau_s=2.0, tau_t=8.0),
    LogitStdConfig(),
    LogitStdConfig.reference(),
    KDStdConfig(),
    KDStdConfig(through_deviation=False),
    NormKDConfig(),
    NormKDConfig.reference(),
    DKDConfig(),
    DKDConfig.reference(),
    RLDConfig(),
    RLDConfig.reference(),
    MKDConfig(interval=2),
    MKDConfig(interval=3, horizon=2, meta_data="held_out"),
    MKDConfig(interval=5, meta_data="held_out"),
    AlignConfig(interval=2),
    AlignConfig(interval=5, meta_data="held_out"),
    MeanLossesConfig(),
    MeanLossesConfig(features_weight=1.0, feature_units="raw", rectified=True),
    MeanLogitsConfig(features_weight=1.0),
    CAMKDConfig(features_weight=1.0),
    MMKDConfig(interval=2),
    MMKDConfig(interval=2, features_weight=1.0),
    MMKDConfig(interval=2, learns="temperatures", features_weight=1.0),
    MMKDConfig(interval=3, learns="both", horizon=2, meta_data="held_out"),
    MetaDistilConfig(teacher_lr=1e-2),
    MetaDistilConfig(interval=2, horizon=2, warmup=1.0, teacher_lr=1e-2, divergence="mse"),
    MetaDistilConfig(pilot="none", interval=2, meta_data="train", teacher_lr=1e-2),
    MetaDistilConfig(learns_temperatures=True, interval=2, teacher_lr=1e-2),
    MetaDistilConfig.reference(),
    # A network that reads a Gram matrix is no mean over samples.
    replace(MMKDConfig.reference(), feature_input="pooled", buffer_size=20),
]


@pytest.mark.parametrize("config", DISTILLERS, ids=str)
def test_a_registered_distiller_passes(config: DistillerConfig) -> None:
    check_distiller(config)


@pytest.mark.parametrize(
    "config", [c for c in DISTILLERS if getattr(c, "unused_fields", ())], ids=str
)
def test_a_field_that_is_named_as_unused_changes_nothing(config: Any) -> None:
    expected = Run(config, 5).rest()
    others = {
        name: other for name, other in changed_in_one_field(config) if name in config.unused_fields
    }
    assert others
    for name, other in others.items():
        assert Run(other, 5).rest() == expected, name


def test_every_registered_distiller_is_among_them() -> None:
    checked = {config.method for config in DISTILLERS}
    at_own_bounds = {CTKDConfig, KDScheduleConfig, KDCosineConfig, TTMConfig, WTTMConfig}
    assert checked | {config.method for config in at_own_bounds} == set(CONFIGS)


@pytest.mark.parametrize("taught_by", ["kd", "dkd"])
def test_ctkd_passes_at_its_bounds(taught_by: Any) -> None:
    for config in (CTKDConfig(taught_by=taught_by), CTKDConfig.reference()):
        wide = replace(config, bounds=(0.25, 64.0))
        far = 40.0 if config.largest_r is None else config.largest_r
        check_distiller(config, at_bounds=[replace(wide, start=r) for r in (-far, far)])


def test_a_schedule_passes_at_its_bounds() -> None:
    config = KDScheduleConfig(((0, 4.0), (1, 2.0), (4, 8.0)))
    check_distiller(config, at_bounds=[KDScheduleConfig(((0, tau),)) for tau in (0.25, 64.0)])


def test_a_cosine_passes_at_its_bounds() -> None:
    bounds = ((0.25, 64.0), (64.0, 0.25))
    check_distiller(KDCosineConfig(), at_bounds=[KDCosineConfig(*ends) for ends in bounds])


@pytest.mark.parametrize("make", [TTMConfig, WTTMConfig])
def test_a_transformed_teacher_passes_at_the_bounds_of_its_power(make: type[TTMConfig]) -> None:
    check_distiller(make(), at_bounds=[make(gamma=gamma) for gamma in (1 / 64, 4.0)])


class Broken(KD):
    """KD, and whatever a test breaks in it."""

    breakage: "Breakage"

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        return self.breakage.of(self, super().loss(logits, batch), logits, batch)


Break = Callable[[Any, Losses, Tensor, Batch], Losses]


@dataclass(frozen=True)
class Breakage(KDConfig):
    """A configuration whose distiller's losses go through a function."""

    method: ClassVar[str] = "broken"

    of: Break = lambda distiller, losses, logits, batch: losses

    def build(self) -> Broken:
        distiller = Broken(self)
        distiller.breakage = self
        return distiller


def plus(losses: Losses, term: Tensor) -> Losses:
    return losses._replace(total=losses.total + term)


def test_what_is_not_broken_passes() -> None:
    check_distiller(Breakage())


def log_of_a_probability(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    return losses._replace(kd=-logits.softmax(dim=1).log().mean())


def root_of_what_may_be_0(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    return plus(losses, logits.var(dim=1, correction=0).sqrt().mean())


def power_of_the_temperature(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    return plus(losses, torch.tensor(d.breakage.tau_s).pow(30).exp() * logits.mean() * 1e-3)


def deviation_over_the_batch(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    return plus(losses, logits.std(dim=0).mean())


def class_of_a_label(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    return plus(losses, logits[range(len(logits)), batch.labels.long()].mean())


def no_gradient(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    return losses._replace(total=losses.total.detach() + torch.zeros((), requires_grad=True))


def sum_over_samples(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    return losses._replace(total=len(logits) * losses.total)


def change_of_logits(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    logits.detach().sub_(1.0)
    return losses


def change_of_the_teacher(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    assert batch.teacher_logits is not None
    batch.teacher_logits.div_(2.0)
    return losses


calls = [0]


def count_of_calls(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    calls[0] += 1
    return plus(losses, 1e-6 * calls[0] * logits.square().mean())


def count_that_is_not_saved(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
    d.steps = getattr(d, "steps", 0) + 1
    return plus(losses, 1e-6 * d.steps * logits.square().mean())


@pytest.mark.parametrize(
    ("breakage", "sentence"),
    [
        (log_of_a_probability, "finite: the loss's part kd is inf with large logits"),
        (root_of_what_may_be_0, "finite: the gradient at the logits is not with equal logits"),
        (no_gradient, "finite: the loss does not depend on the logits"),
        (sum_over_samples, "mean: the loss of a batch is .* it has to be a mean"),
        (change_of_logits, "arguments: the loss changed its outputs"),
        (change_of_the_teacher, "arguments: the loss changed its teacher_logits"),
        (count_of_calls, "repeats: two trainings from the same seed differ"),
        (count_that_is_not_saved, "checkpoint: a training that was saved goes on differently"),
    ],
)
def test_a_broken_distiller_fails_the_check_that_is_for_it(breakage: Break, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_distiller(Breakage(of=breakage))


def test_a_loss_that_needs_two_samples_is_found() -> None:
    with (
        pytest.warns(UserWarning, match="degrees of freedom"),
        pytest.raises(AssertionError, match="finite: the loss's part total is nan with one sample"),
    ):
        check_distiller(Breakage(of=deviation_over_the_batch))


def test_a_temperature_is_tried_at_its_bounds() -> None:
    with pytest.raises(AssertionError, match=r"finite: .*tau_s=64"):
        check_distiller(Breakage(of=power_of_the_temperature, tau_s=1.0, tau_t=1.0))
    check_distiller(Breakage(of=power_of_the_temperature, tau_s=1.0, tau_t=1.0), at_bounds=())


def test_soft_labels_are_tried_where_they_are_meant_to_be_taken() -> None:
    def one_hot_only(d: Any, losses: Losses, logits: Tensor, batch: Batch) -> Losses:
        exact = batch.labels.dim() == 1 or batch.labels.amax(dim=1).eq(1).all()
        return losses if exact else plus(losses, torch.tensor(torch.nan))

    with pytest.raises(AssertionError, match="is nan with soft labels"):
        check_distiller(Breakage(of=one_hot_only))
    check_distiller(Breakage(of=one_hot_only), soft_labels=False)


class Odd:
    """Nothing that a checkpoint may hold."""


ODD = Odd()


class Stateful(Broken):
    """KD that saves what it should not, or learns a temperature badly, or can never be saved."""

    def __init__(self, config: "StatefulConfig") -> None:
        super().__init__(config)
        self.breakage, self.fault = config, config.fault
        self.tau = 4.0

    def state_dict(self) -> dict[str, Any]:
        return {"odd": ODD} if self.fault == "odd state" else {}

    def holds_steps(self, step: int) -> bool:
        return self.fault == "never"

    def after_step(self, lr: float) -> None:
        if self.fault == "negative":
            self.tau -= 5.0

    def temperatures(self) -> tuple[float, float]:
        return self.tau, self.tau


@dataclass(frozen=True)
class StatefulConfig(Breakage):
    fault: str = ""

    def build(self) -> Stateful:
        return Stateful(self)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("odd state", "checkpoint: the state holds more than tensors"),
        ("never", "checkpoint: no epoch ends where it can be saved"),
        ("negative", "finite: a temperature is -1.0 after a step"),
    ],
)
def test_a_state_that_does_not_last_is_found(fault: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_distiller(StatefulConfig(fault=fault))


def test_a_distiller_of_ones_own_passes_without_being_registered() -> None:
    @dataclass(frozen=True)
    class SmoothingConfig(DistillerConfig):
        method: ClassVar[str] = "smoothing"
        version: ClassVar[int] = 1
        uses_teacher: ClassVar[bool] = False

        def build(self) -> Distiller:
            return Smoothing()

    class Smoothing(Distiller):
        def loss(self, logits: Tensor, batch: Batch) -> Losses:
            ce = F.cross_entropy(logits, batch.labels, label_smoothing=0.1)
            return Losses(ce, ce, None)

    check_distiller(SmoothingConfig())

"""MetaDistil: an exact gradient, pilots that leave no trace, and a fixed teacher that is KD."""

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from look_ahead_bench import CLASSES, DOUBLE, SIZE, batchnorm_cnn, mlp
from torch import Tensor, nn
from torch.func import functional_call

from metakd.core.batches import Batch
from metakd.core.distillers import KDConfig, MetaDistilConfig
from metakd.core.live_teacher import TeacherError
from metakd.core.lookahead import Estimator
from metakd.core.losses import distillation_loss
from metakd.core.recipe import Recipe
from metakd.core.training import EpochRecord, Training

SAMPLES = 8
RECIPE = Recipe(epochs=3, batch_size=SAMPLES, lr=0.05)


def teacher(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(SIZE**2, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, CLASSES)
    ).to(dtype)


class Batches:
    """Images whose logits come from the teacher as it was."""

    steps_per_epoch = 4

    def __init__(self, asked: nn.Module, dtype: torch.dtype = torch.float32, seed: int = 0) -> None:
        self._asked = copy.deepcopy(asked).eval()
        self._dtype, self._seed = dtype, seed

    def at(self, step: int) -> Batch:
        generator = torch.Generator().manual_seed(1000 * self._seed + step)
        inputs = torch.randn(SAMPLES, 1, SIZE, SIZE, generator=generator, dtype=self._dtype)
        labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
        with torch.no_grad():
            return Batch(inputs, labels, self._asked(inputs))

    def epoch(self, epoch: int) -> Iterator[Batch]:
        for step in range(self.steps_per_epoch):
            yield self.at(epoch * self.steps_per_epoch + step)


class Run:
    def __init__(
        self,
        config: MetaDistilConfig | KDConfig,
        make: Callable[[], nn.Module] = batchnorm_cnn,
        dtype: torch.dtype = torch.float32,
        recipe: Recipe = RECIPE,
        batches: type[Batches] = Batches,
        autocast: torch.dtype | None = None,
    ) -> None:
        torch.manual_seed(3)
        self.student, self.teacher = make().to(dtype), teacher(dtype)
        self.distiller = config.build()
        quiz = batches(self.teacher, dtype, seed=1)
        if isinstance(config, MetaDistilConfig):
            self.distiller.take_teacher(self.teacher)  # type: ignore[union-attr]
        self.training = Training(
            self.student, self.distiller, recipe, batches(self.teacher, dtype), quiz, autocast
        )
        torch.manual_seed(4)

    def rest(self) -> list[EpochRecord]:
        records = []
        while not self.training.is_done:
            records.append(replace(self.training.run_epoch(), compute_s=0.0))
        return records

    def weights(self) -> list[Tensor]:
        return [value.clone() for value in self.student.state_dict().values()]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("divergence", ["kl", "mse"])
@pytest.mark.parametrize("estimator", ["jvp", "double_backward"])
@pytest.mark.parametrize(
    "pilot", [("own", 1), ("own", 2), ("sgd", 1), ("none", 1)], ids=lambda pilot: f"{pilot}"
)
@pytest.mark.parametrize("make", [mlp, batchnorm_cnn])
def test_the_teachers_gradient_is_that_of_the_unrolled_pilot(
    make: Callable[[], nn.Module],
    pilot: tuple[str, int],
    estimator: Estimator,
    divergence: str,
) -> None:
    """Against a graph through the whole pilot and the teacher, written out by hand, in float64."""
    kind, steps = pilot
    lr, momentum, decay = 0.05, 0.9, 5e-3
    recipe = Recipe(1, SAMPLES, lr, momentum=momentum, nesterov=True, weight_decay=decay)
    config = MetaDistilConfig(
        pilot=kind,  # type: ignore[arg-type]
        horizon=steps,
        interval=4,
        estimator=estimator,
        divergence=divergence,  # type: ignore[arg-type]
        teacher_lr=1e-3,
        pilot_lr=0.03,
    )
    run = Run(config, make, DOUBLE, recipe)
    student, taught = copy.deepcopy(run.student).train(), copy.deepcopy(run.teacher).eval()
    for module in student.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
    before = {name: value.clone() for name, value in run.teacher.named_parameters()}
    shown = Batches(taught, DOUBLE)
    batches, quiz = [shown.at(step) for step in range(steps)], Batches(taught, DOUBLE, 1).at(0)
    run.training.run_epoch()

    torch.manual_seed(4)  # the pilot draws the dropout masks of the training
    if kind != "none":
        student(quiz.inputs)  # the quiz before the pilot
    theta = dict(student.named_parameters())
    buffers: dict[str, Tensor] = {}
    for batch in batches:
        logits = functional_call(student, theta, (batch.inputs,))
        z_t = taught(batch.inputs)
        if divergence == "kl":
            loss = distillation_loss(logits, z_t, batch.labels, 4.0, 4.0, 0.9).total
        else:
            gap = (logits / 4 - z_t / 4).square().mean()
            loss = 0.1 * F.cross_entropy(logits, batch.labels) + 0.9 * gap
        slopes = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
        moved = {}
        for (name, value), slope in zip(theta.items(), slopes, strict=True):
            if kind == "sgd":
                moved[name] = value - 0.03 * slope
                continue
            used = slope + decay * value
            buffers[name] = momentum * buffers[name] + used if name in buffers else used
            moved[name] = value - lr * (used + momentum * buffers[name])
        theta = moved
    meta_loss = F.cross_entropy(functional_call(student, theta, (quiz.inputs,)), quiz.labels)
    expected = torch.autograd.grad(meta_loss, list(taught.parameters()))

    assert run.training.epochs_done == 1
    for (name, after), slope in zip(run.teacher.named_parameters(), expected, strict=True):
        if slope.abs().max() < 1e-12:  # a bias before BatchNorm
            continue
        torch.testing.assert_close((before[name] - after) / 1e-3, slope, rtol=1e-7, atol=1e-10)


def test_a_fixed_teacher_is_kd_to_the_last_bit() -> None:
    kd = Run(KDConfig(), mlp)
    expected = kd.rest()
    for config in (MetaDistilConfig(teacher_lr=0.0), MetaDistilConfig(warmup=3.0)):
        run = Run(config, mlp)
        assert run.rest() == expected
        assert equal(run.weights(), kd.weights())


def test_a_teacher_that_would_not_move_teaches_live_what_the_bank_holds() -> None:
    # Pilots are taken back: with a teacher that cannot move nothing is left of them.
    kd = Run(KDConfig(), mlp)
    kd.rest()
    run = Run(MetaDistilConfig(teacher_lr=1e-30), mlp)
    run.rest()
    assert equal(run.weights(), kd.weights())


class Stale(Batches):
    """The bank's logits are spoilt from the second epoch on."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        for batch in super().epoch(epoch):
            spoilt = torch.full_like(batch.teacher_logits, torch.nan)  # type: ignore[arg-type]
            yield batch._replace(teacher_logits=spoilt) if epoch >= 1 else batch


def test_nothing_stale_is_served_after_the_warm_up() -> None:
    config = MetaDistilConfig(warmup=1.0, teacher_lr=1e-2)
    fresh, stale = Run(config), Run(config, batches=Stale)
    assert fresh.rest() == stale.rest()  # no student here draws random numbers
    assert equal(fresh.weights(), stale.weights())
    assert all(weights.isfinite().all() for weights in stale.weights())


@pytest.mark.parametrize(
    "config",
    [
        MetaDistilConfig(),
        MetaDistilConfig(pilot="none", interval=2, horizon=2),
        MetaDistilConfig(warmup=1.0, horizon=2, interval=2, teacher_algorithm="adamw"),
        MetaDistilConfig(learns_temperatures=True, interval=2),
        MetaDistilConfig(meta_data="train", meta_fraction=0.5, largest_norm=1.0),
        MetaDistilConfig.reference(),
    ],
    ids=str,
)
def test_the_teacher_moves_and_a_resumed_run_is_the_same_run(config: MetaDistilConfig) -> None:
    config = replace(config, teacher_lr=1e-2)
    whole = Run(config)
    before = {name: value.clone() for name, value in whole.teacher.state_dict().items()}
    records = whole.rest()
    part = Run(config)
    part.training.run_epoch()
    part.training.run_epoch()
    state = copy.deepcopy(part.training.state_dict())
    again = Run(config)
    again.training.load_state_dict(state)
    assert again.rest() == records[2:]
    assert equal(again.weights(), whole.weights())
    after = whole.teacher.state_dict()
    assert not torch.equal(after["1.weight"], before["1.weight"])
    for name in ("2.running_mean", "2.running_var", "2.num_batches_tracked"):
        assert torch.equal(after[name], before[name])
    assert equal(list(again.teacher.state_dict().values()), list(after.values()))


def test_temperatures_are_learned_by_the_same_pilots() -> None:
    config = MetaDistilConfig(learns_temperatures=True, teacher_lr=1e-2)
    run = Run(config)
    assert run.distiller.temperatures() == (4.0, 4.0)
    jvp = run.training.run_epoch()
    assert run.distiller.temperatures() != (4.0, 4.0)
    both = Run(replace(config, estimator="double_backward")).training.run_epoch()
    assert jvp.meta_gradient is not None
    assert both.meta_gradient is not None
    assert jvp.meta_gradient == pytest.approx(both.meta_gradient, rel=1e-3)
    assert Run(MetaDistilConfig()).training.run_epoch().meta_gradient is None


@pytest.mark.parametrize("estimator", ["jvp", "double_backward"])
@pytest.mark.parametrize("divergence", ["kl", "mse"])
def test_in_mixed_precision_the_teacher_moves_in_float32_where_it_would_have_gone(
    divergence: str, estimator: Estimator
) -> None:
    moved = {}
    for autocast in (None, torch.bfloat16):
        config = MetaDistilConfig(
            divergence=divergence,  # type: ignore[arg-type]
            estimator=estimator,
            teacher_lr=1e-3,
            interval=4,
        )
        run = Run(config, mlp, autocast=autocast)
        before = torch.cat([parameter.detach().flatten() for parameter in run.teacher.parameters()])
        run.training.run_epoch()
        assert {parameter.dtype for parameter in run.teacher.parameters()} == {torch.float32}
        after = torch.cat([parameter.detach().flatten() for parameter in run.teacher.parameters()])
        moved[autocast] = after - before
    whole, coarse = moved.values()
    assert not torch.equal(whole, coarse)
    assert F.cosine_similarity(whole, coarse, dim=0) > 0.98
    assert float(coarse.norm()) == pytest.approx(float(whole.norm()), rel=0.05)


def test_the_quiz_is_looked_at_before_and_after_each_pilot() -> None:
    run = Run(MetaDistilConfig(teacher_lr=1e-2, interval=2))
    record = run.training.run_epoch()
    assert record.meta_steps == 2
    assert record.meta_loss is not None
    assert record.meta_loss_before is not None
    assert record.meta_loss != record.meta_loss_before


def test_learning_to_teach_lowers_the_quiz_loss_of_the_next_pilot() -> None:
    # One batch over and over: what the teacher learned from a pilot has to show in the next.
    class Same(Batches):
        def at(self, step: int) -> Batch:
            return super().at(0)

    def quiz_losses(lr: float) -> list[float]:
        run = Run(MetaDistilConfig(teacher_lr=lr), batchnorm_cnn, DOUBLE, batches=Same)
        return [record.meta_loss or 0.0 for record in run.rest()]

    taught, fixed = quiz_losses(1.0), quiz_losses(1e-12)
    assert taught[-1] < fixed[-1] - 1e-3


def test_no_second_order_work_is_done_while_the_teacher_is_frozen() -> None:
    records = Run(MetaDistilConfig(warmup=2.0)).rest()
    assert [record.meta_steps for record in records] == [0, 0, 4]
    assert records[0].step_equivalents == 4
    assert records[2].step_equivalents > 8


@pytest.mark.parametrize(
    "config",
    [
        MetaDistilConfig(),
        MetaDistilConfig(meta_fraction=0.25),
        MetaDistilConfig(interval=2, horizon=2),
        MetaDistilConfig(pilot="none", meta_fraction=0.5),
    ],
)
def test_the_teachers_passes_are_what_is_said_of_them(config: MetaDistilConfig) -> None:
    run = Run(config)
    seen = {"forward": 0, "back": 0}

    def passed(module: nn.Module, inputs: tuple[Tensor, ...], logits: Tensor) -> None:
        seen["forward"] += len(logits)
        if logits.requires_grad:
            logits.register_hook(lambda slope: seen.update(back=seen["back"] + len(slope)))

    run.teacher.register_forward_hook(passed)
    record = run.training.run_epoch()
    # The student's real steps pass it once each.
    of_pilots = seen["forward"] - Batches.steps_per_epoch * SAMPLES + 2 * seen["back"]
    assert seen["back"] > 0
    assert of_pilots == config.teacher_passes(Batches.steps_per_epoch, SAMPLES) * SAMPLES
    assert record.meta_steps == config.look_aheads(Batches.steps_per_epoch)


def test_a_gradient_that_is_not_finite_moves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    run = Run(MetaDistilConfig(teacher_lr=1e-2))
    before = {name: value.clone() for name, value in run.teacher.named_parameters()}
    run.teacher[-1].bias.data[0] = torch.inf  # type: ignore[index, union-attr, operator]
    with caplog.at_level(logging.WARNING), pytest.raises(FloatingPointError):
        run.training.run_epoch()
    assert "this pilot is skipped" in caplog.text
    assert run.distiller.skipped == 4  # type: ignore[union-attr]
    assert torch.equal(run.teacher[1].weight, before["1.weight"])  # type: ignore[index, union-attr, arg-type]


def test_a_teacher_without_parameters_and_none_at_all_are_refused() -> None:
    distiller = MetaDistilConfig().build()
    for untrainable in (nn.Flatten(), teacher().requires_grad_(False)):
        with pytest.raises(TeacherError, match="no trainable parameters"):
            distiller.take_teacher(untrainable)
    distiller.start_epoch(0, 1)
    with pytest.raises(RuntimeError, match="take_teacher"):
        distiller.loss(torch.zeros(2, 3), Batch(torch.zeros(2, 3), torch.zeros(2).long(), None))


def test_what_its_owner_froze_in_a_teacher_stays() -> None:
    run = Run(MetaDistilConfig(teacher_lr=1e-2))
    frozen, head = run.teacher[1], run.teacher[-1]  # type: ignore[index]
    frozen.requires_grad_(False)
    run.distiller.take_teacher(run.teacher)  # type: ignore[union-attr]
    before = copy.deepcopy(run.teacher)
    run.rest()
    assert torch.equal(frozen.weight, before[1].weight)  # type: ignore[index, union-attr]
    assert not torch.equal(head.weight, before[-1].weight)  # type: ignore[index, union-attr]


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_a_teacher_of_other_classes_is_one_line(warmup: float) -> None:
    other = nn.Sequential(nn.Flatten(), nn.Linear(SIZE**2, CLASSES + 2))
    distiller = MetaDistilConfig(warmup=warmup).build()
    distiller.take_teacher(other)
    training = Training(batchnorm_cnn(), distiller, RECIPE, Batches(other), Batches(other, seed=1))
    shapes = rf"got \({SAMPLES}, {CLASSES}\) and \({SAMPLES}, {CLASSES + 2}\): give both heads"
    with pytest.raises(ValueError, match=shapes):
        training.run_epoch()


def test_an_empty_quiz_set_is_one_line() -> None:
    class NoQuiz(Batches):
        def at(self, step: int) -> Batch:
            return super().at(step).first(0)

    run = Run(MetaDistilConfig())
    training = Training(
        run.student, run.distiller, RECIPE, Batches(run.teacher), NoQuiz(run.teacher)
    )
    with pytest.raises(ValueError, match=r"^the meta batch of step 0 is empty: hold samples out"):
        training.run_epoch()


@pytest.mark.parametrize(
    "wrong",
    [
        {"teacher_lr": -1.0},
        {"teacher_weight_decay": -1.0},
        {"warmup": -1.0},
        {"pilot_lr": 0.0},
        {"largest_norm": 0.0},
        {"horizon": 2},
        {"divergence": "js"},
        {"divergence": "mse", "learns_temperatures": True},
        {"tau_range": (4.0, 2.0)},
        {"confidence": 0.0},
        {"pilot": "auto"},
        {"teacher_algorithm": "lion"},
        {"alpha": 2.0},
        {"tau_t": 0.0},
    ],
    ids=str,
)
def test_a_field_out_of_its_range_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MetaDistilConfig(**wrong)  # type: ignore[arg-type]

"""The loop, on a toy task: a linear teacher of two-dimensional points."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import (
    AlignConfig,
    CrossEntropyConfig,
    CTKDConfig,
    DistillerConfig,
    DKDConfig,
    KDConfig,
    KDCosineConfig,
    KDStdConfig,
    LogitStdConfig,
    MKDConfig,
    NormKDConfig,
    RLDConfig,
    TTMConfig,
    WTTMConfig,
)
from metakd.core.distillers.kd import KD
from metakd.core.lookahead.look_aheads import PASS_EQUIVALENTS
from metakd.core.losses import Losses
from metakd.core.training import EpochRecord, Recipe, Training, train

N, CLASSES, BATCH = 40, 3, 8


class ToyBatches:
    def __init__(self, seed: int = 0, batch_size: int = BATCH, poison: bool = False) -> None:
        self.batch_size = batch_size
        generator = torch.Generator().manual_seed(seed)
        self.inputs = torch.randn(N, 2, generator=generator)
        self.teacher_logits = self.inputs @ torch.tensor([[4.0, -4.0, 0.0], [0.0, 3.0, -3.0]])
        self.labels = self.teacher_logits.argmax(dim=1)
        if poison:
            self.inputs[5] = torch.nan

    @property
    def steps_per_epoch(self) -> int:
        return N // self.batch_size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        order = torch.randperm(N, generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(self.batch_size):
            yield Batch(self.inputs[rows], self.labels[rows], self.teacher_logits[rows])

    def at(self, step: int) -> Batch:
        rows = torch.arange(step % 5, N, 5)
        return Batch(self.inputs[rows], self.labels[rows], None)


def run(
    config: DistillerConfig, epochs: int = 6, batch_size: int = BATCH, lr: float = 0.1
) -> tuple[dict[str, Tensor], list[EpochRecord]]:
    torch.manual_seed(1)
    student = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES))
    records: list[EpochRecord] = []
    train(
        student,
        config.build(),
        Recipe(epochs=epochs, batch_size=batch_size, lr=lr),
        ToyBatches(batch_size=batch_size),
        ToyBatches(seed=9),
        records.append,
    )
    return student.state_dict(), records


# Where the teacher's term is many times as large, the rate is smaller.
@pytest.mark.parametrize(
    ("config", "lr"),
    [
        (CrossEntropyConfig(), 0.1),
        (KDConfig(), 0.1),
        (LogitStdConfig(), 0.01),
        (LogitStdConfig.reference(), 0.01),
        (KDCosineConfig(), 0.1),
        (KDStdConfig(), 0.1),
        (KDStdConfig(through_deviation=False), 0.1),
        (NormKDConfig(), 0.01),
        (TTMConfig(gamma=0.5, kd_weight=7.0), 0.02),
        (WTTMConfig(), 0.01),
        (DKDConfig(), 0.01),
        (RLDConfig(), 0.01),
        (CTKDConfig(), 0.1),
        (CTKDConfig.reference(), 0.1),
        (CTKDConfig(taught_by="dkd"), 0.01),
        (MKDConfig(), 0.1),
    ],
)
def test_the_student_learns_and_the_run_repeats_bitwise(config: DistillerConfig, lr: float) -> None:
    state, records = run(config, lr=lr)
    again, _ = run(config, lr=lr)
    assert records[-1].ce_loss < 0.6 * records[0].ce_loss
    assert all(torch.equal(state[name], again[name]) for name in state)


def test_learned_temperatures_that_cannot_move_are_fixed_ones_bitwise() -> None:
    fixed, _ = run(KDConfig(tau_s=4.0, tau_t=4.0))
    learned, records = run(MKDConfig(scale="product", meta_lr=1e-30))
    assert sum(record.meta_steps for record in records) > 0
    assert all(torch.equal(fixed[name], learned[name]) for name in fixed)


@pytest.mark.parametrize("config", [MKDConfig(interval=2), AlignConfig(interval=2)], ids=str)
def test_learned_temperatures_move_and_are_recorded(config: DistillerConfig) -> None:
    _, records = run(config)
    temperatures = [record.temperatures for record in records]
    assert all(t is not None for t in temperatures)
    assert len(set(temperatures)) == len(records)
    assert all(r.meta_loss is not None and r.meta_gradient is not None for r in records)


def test_a_meta_step_moves_down_the_held_out_loss() -> None:
    _, records = run(MKDConfig(meta_data="held_out"), epochs=1, batch_size=N)
    assert records[0].meta_steps == 1
    gradient, moved = records[0].meta_gradient, records[0].temperatures
    assert gradient is not None
    assert moved is not None
    for slope, tau in zip(gradient, moved, strict=True):
        assert slope != 0
        assert (tau < 4.0) == (slope > 0)


def test_cost_counts_plain_steps_and_meta_steps() -> None:
    _, plain = run(KDConfig())
    _, learned = run(MKDConfig(interval=2, meta_fraction=0.5))
    steps = 6 * (N // BATCH)
    assert sum(r.step_equivalents for r in plain) == steps
    assert sum(r.meta_steps for r in learned) == steps // 2
    # A forward and a backward pass of half a batch, and a forward-mode pass of half of it.
    expected = steps + steps // 2 * (1 + PASS_EQUIVALENTS["jvp"]) / 2
    assert sum(r.step_equivalents for r in learned) == pytest.approx(expected)


def test_the_next_training_batch_judges_or_held_out_samples_do() -> None:
    _, training = run(MKDConfig(interval=1))
    _, held_out = run(MKDConfig(interval=1, meta_data="held_out"))
    assert training[0].temperatures != held_out[0].temperatures
    # The training batch after the last step never comes.
    steps = 6 * (N // BATCH)
    assert sum(r.meta_steps for r in training) == steps - 1
    assert sum(r.meta_steps for r in held_out) == steps


@pytest.mark.parametrize("horizon", [2, 3])
def test_a_longer_horizon_runs_and_differs(horizon: int) -> None:
    _, short = run(MKDConfig(interval=4))
    _, long = run(MKDConfig(interval=4, horizon=horizon))
    assert sum(r.meta_steps for r in short) == 8
    # Two steps' last look-ahead awaits a batch that never comes.
    assert sum(r.meta_steps for r in long) == 7
    assert long[-1].temperatures != short[-1].temperatures


class Spy(nn.Linear):
    seen: list[torch.dtype]

    def forward(self, inputs: Tensor) -> Tensor:
        logits = super().forward(inputs)
        self.seen.append(logits.dtype)
        return logits


@pytest.mark.parametrize("config", [KDConfig(), MKDConfig(interval=2)])
def test_under_autocast_passes_are_coarse_and_everything_else_is_not(
    config: DistillerConfig,
) -> None:
    runs = {}
    for autocast in (None, torch.bfloat16):
        torch.manual_seed(1)
        student = Spy(2, CLASSES)
        student.seen = []
        batches = ToyBatches(), ToyBatches(seed=9)
        training = Training(student, config.build(), Recipe(epochs=6), *batches, autocast)
        records = [training.run_epoch() for _ in range(6)]
        runs[autocast] = student, records[-1]
        assert student.weight.dtype == torch.float32
    exact, coarse = runs[None], runs[torch.bfloat16]
    assert set(exact[0].seen) == {torch.float32}
    # The look-ahead's own pass stays in full precision; the meta batch's does not.
    passes = [torch.bfloat16] if isinstance(config, KDConfig) else [torch.bfloat16, torch.float32]
    assert set(coarse[0].seen) == set(passes)
    assert coarse[1].train_loss == pytest.approx(exact[1].train_loss, rel=0.02)
    assert coarse[1].train_loss != exact[1].train_loss


def test_a_look_ahead_on_held_out_samples_needs_them() -> None:
    with pytest.raises(ValueError, match="need meta_batches"):
        train(
            nn.Linear(2, CLASSES), MKDConfig(meta_data="held_out").build(), Recipe(), ToyBatches()
        )


def test_the_rate_falls_along_half_a_cosine() -> None:
    recipe = Recipe(lr=0.2)
    assert recipe.lr_at(0, 10) == pytest.approx(0.2)
    assert recipe.lr_at(5, 10) == pytest.approx(0.1)
    assert 0 < recipe.lr_at(9, 10) < 0.01


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    student = nn.Linear(2, CLASSES)
    with pytest.raises(FloatingPointError, match="epoch 0"):
        train(student, CrossEntropyConfig().build(), Recipe(), ToyBatches(poison=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KDConfig(tau_s=0.0), "tau_s=0.0"),
        (lambda: KDConfig(alpha=1.5), "alpha=1.5"),
        (lambda: MKDConfig(meta_lr=0.0), "meta_lr=0.0"),
        (lambda: MKDConfig(meta_fraction=0.0), "meta_fraction=0.0"),
        (lambda: MKDConfig(meta_fraction=1.5), "meta_fraction=1.5"),
        (lambda: MKDConfig(horizon=6), "horizon=6"),
        (lambda: AlignConfig(confidence=0.0), "confidence=0.0"),
        (lambda: AlignConfig(tau_range=(4.0, 2.0)), "tau_range=(4.0, 2.0)"),
        (lambda: AlignConfig(tau_range=(0.0, 2.0)), "tau_range[0]=0.0"),
        (lambda: MKDConfig(tau_s=-1.0), "tau_s=-1.0"),
        (lambda: MKDConfig(tau_s=2.0, form="shared"), "tau_s=2.0, tau_t=4.0"),
        (lambda: MKDConfig(scale="large"), "got scale='large'"),
        (lambda: MKDConfig(estimator="exact"), "got estimator='exact'"),
        (lambda: MKDConfig(meta_data="test"), "got meta_data='test'"),
        (lambda: MKDConfig(form="odd"), "got form='odd'"),
        (lambda: AlignConfig(form="per_class"), "got form='per_class'"),
        (lambda: MKDConfig(form="per_class"), "need num_classes"),
        (lambda: MKDConfig(interval=0), "interval=0"),
        (lambda: MKDConfig(tau_t=100.0), "tau_t=100.0"),
        (lambda: Recipe(epochs=0), "epochs=0"),
        (lambda: Recipe(lr=-1.0), "lr=-1.0"),
    ],
)
def test_a_value_out_of_range_is_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()  # type: ignore[operator]


def new_training(config: DistillerConfig, seed: int = 1) -> tuple[nn.Module, Training]:
    torch.manual_seed(seed)
    student = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, CLASSES)
    )
    recipe = Recipe(epochs=6, batch_size=BATCH, lr=0.1)
    return student, Training(student, config.build(), recipe, ToyBatches(), ToyBatches(seed=9))


@pytest.mark.parametrize(
    "config",
    [
        CrossEntropyConfig(),
        KDConfig(),
        MKDConfig(interval=2),
        AlignConfig(interval=3),
        MKDConfig(interval=4, horizon=2),
        MKDConfig(interval=3, meta_data="held_out"),
    ],
    ids=str,
)
def test_a_training_that_was_saved_goes_on_bitwise(config: DistillerConfig, tmp_path: Path) -> None:
    whole, training = new_training(config)
    expected = [training.run_epoch() for _ in range(6)]
    _, training = new_training(config)
    saved, cut = 0, 0
    for epoch in range(5):
        training.run_epoch()
        if training.can_be_saved:
            saved, cut = saved + 1, epoch + 1
            torch.save(training.state_dict(), tmp_path / "state.pt")
    assert saved >= 2
    # The process that goes on starts from other weights and another random state.
    student, training = new_training(config, seed=77)
    training.load_state_dict(torch.load(tmp_path / "state.pt"))
    assert training.epochs_done == cut
    found = []
    while not training.is_done:
        found.append(training.run_epoch())
    assert [replace(r, compute_s=0) for r in found] == [
        replace(r, compute_s=0) for r in expected[cut:]
    ]
    for name, value in whole.state_dict().items():
        assert torch.equal(student.state_dict()[name], value)


class Listener(KD):
    """Notes what the loop tells it."""

    def __init__(self) -> None:
        super().__init__(KDConfig())
        self.heard: list[tuple[str | float, ...]] = []

    def start_epoch(self, epoch: int, epochs: int) -> None:
        self.heard.append(("epoch", epoch, epochs))

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        self.heard.append(("loss",))
        return super().loss(logits, batch)

    def after_step(self, lr: float) -> None:
        self.heard.append(("step", lr))


def test_a_distiller_hears_of_every_epoch_and_step_after_a_resume_too() -> None:
    listeners, recipe = (Listener(), Listener()), Recipe(epochs=3, batch_size=BATCH, lr=0.1)
    first, second = (Training(nn.Linear(2, CLASSES), x, recipe, ToyBatches()) for x in listeners)
    first.run_epoch()
    second.load_state_dict(first.state_dict())
    second.run_epoch()
    for epoch, listener in enumerate(listeners):
        expected: list[tuple[str | float, ...]] = [("epoch", epoch, 3)]
        for step in range(5 * epoch, 5 * epoch + 5):
            expected += [("loss",), ("step", recipe.lr_at(step, 15))]
        assert listener.heard == expected


def test_a_look_ahead_under_way_is_not_saved() -> None:
    # Five steps an epoch: the look-ahead after the fifth awaits the next epoch's first batch.
    _, training = new_training(MKDConfig(interval=4))
    training.run_epoch()
    assert not training.can_be_saved
    with pytest.raises(RuntimeError, match="save after another epoch"):
        training.state_dict()
    training.run_epoch()
    assert training.can_be_saved


@pytest.mark.parametrize("interval", [1, 3, 4])
@pytest.mark.parametrize("horizon", [1, 2, 3])
def test_steps_are_held_exactly_while_a_look_ahead_to_come_needs_them(
    interval: int, horizon: int
) -> None:
    config = MKDConfig(interval=interval, horizon=horizon)
    distiller = config.build()
    for step in range(1, 20):
        due = next(later for later in range(step, 99) if config.is_due(later))
        assert distiller.holds_steps(step) == (due - horizon + 1 < step)

"""What MMKD reduces to, what it learns, and what it refuses."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from ensemble_bench import BATCH, SAMPLES, Student, Teachers, begun
from one_thread import one_thread as one_thread
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import (
    AlignConfig,
    CAMKDConfig,
    KDConfig,
    MeanLogitsConfig,
    MeanLossesConfig,
    MMKDConfig,
    SeveralTeachersConfig,
)
from metakd.core.distillers.mmkd import MMKD
from metakd.core.ensemble_loss import TeachersError
from metakd.core.features import FeatureError
from metakd.core.hard_buffer import DrawError
from metakd.core.lookahead.look_aheads import LookAheads
from metakd.core.teacher_weights import TeacherWeights
from metakd.core.training import EpochRecord, Recipe, Training

RECIPE = Recipe(epochs=6, batch_size=BATCH, lr=0.05)
THREE_STEPS = replace(MMKDConfig.reference(), feature_input="pooled", buffer_size=30, interval=2)


def run(
    config: Any, teachers: Teachers | None = None, **settings: Any
) -> tuple[dict[str, Tensor], list[EpochRecord]]:
    """Returns what became of the student, without what is trained beside it, and the records."""
    trained, _, training = begun(config, teachers, **settings)
    records = [training.run_epoch() for _ in range(RECIPE.epochs)]
    student = trained if isinstance(trained, Student) else trained.student
    assert isinstance(student, Student)
    return student.state_dict(), records


def weights_of(record: EpochRecord, of: str = "logits") -> dict[str, TeacherWeights]:
    return {each.among: each for each in record.teacher_weights if each.of == of}


@pytest.mark.parametrize(
    ("config", "alone"),
    [
        (MMKDConfig(interval=2), KDConfig()),
        (replace(THREE_STEPS, features_weight=0.0, alpha=0.9, ce_weight=None), KDConfig()),
        (MMKDConfig(interval=2, learns="temperatures"), AlignConfig(interval=2)),
        (MMKDConfig(interval=3, learns="both", horizon=2), AlignConfig(interval=3, horizon=2)),
    ],
    ids=["one step", "three steps", "temperatures", "both"],
)
def test_one_teacher_without_features_is_kd_or_mkd_bitwise(
    config: MMKDConfig, alone: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # A look-ahead on held-out samples draws dropout masks, in mkd too; one that is undone does not.
    dropout = 0.0 if config.look_ahead == "one_step" and alone.method == "kd" else 0.2
    with caplog.at_level(logging.WARNING):
        found, records = run(config, Teachers((0,)), dropout=dropout)
    assert [r.getMessage() for r in caplog.records] == [
        f"mmkd with one teacher, whose weight is 1, is {alone.method}: there are no weights to "
        "learn"
    ]
    expected, plain = run(alone, Teachers((0,), alone=True), dropout=dropout)
    assert sum(record.meta_steps for record in records) > 5
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    for record, other in zip(records, plain, strict=True):
        assert record.train_loss == other.train_loss
        assert record.temperatures == other.temperatures
    if alone.method == "mkd":
        assert records[-1].meta_gradient == plain[-1].meta_gradient
        assert records[-1].temperatures != (4.0, 4.0)


@pytest.mark.parametrize("features_weight", [0.0, 1.0])
def test_before_its_first_look_ahead_it_is_the_mean_of_losses(features_weight: float) -> None:
    found, records = run(MMKDConfig(interval=1, meta_lr=1e-30, features_weight=features_weight))
    expected, plain = run(MeanLossesConfig(features_weight=features_weight))
    # What follows the last of 24 steps never comes.
    assert sum(record.meta_steps for record in records) == 23
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert records[-1].feature_loss == plain[-1].feature_loss


def test_three_steps_leave_nothing_of_themselves_with_the_student() -> None:
    """Networks that cannot move: the student goes where it goes without look-aheads, bitwise."""
    still = replace(THREE_STEPS, meta_lr=1e-30, meta_weight_decay=0.0)
    found, records = run(still, dropout=0.2)
    expected, plain = run(replace(still, interval=1000), dropout=0.2)
    assert [record.meta_steps for record in records] == [2] * 6
    assert sum(record.meta_steps for record in plain) == 1
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("features_weight", [0.0, 1.0])
def test_permuting_teachers_permutes_their_weights(features_weight: float) -> None:
    order = (2, 0, 1)
    config = MMKDConfig(
        interval=1, start="random", meta_lr=0.03, features_weight=features_weight, alpha=0.7
    )
    records = []
    first: MMKD | None = None
    for chosen in ((0, 1, 2), order):
        teachers = Teachers(chosen, torch.float64)
        _, distiller, training = begun(config, teachers)
        assert isinstance(distiller, MMKD)
        if first is not None:
            _permute(first, distiller, order, teachers)
        first = _copy(distiller)
        records.append([training.run_epoch() for _ in range(2)][-1])
    for of in ("logits", "features")[: 1 + bool(features_weight)]:
        plain, permuted = (weights_of(record, of) for record in records)
        assert list(plain) == list(permuted)
        assert max(plain["all"].weights) - min(plain["all"].weights) > 0.01
        for among, each in plain.items():
            expected = [each.weights[teacher] for teacher in order]
            assert permuted[among].weights == pytest.approx(expected, rel=1e-6)


def _copy(distiller: MMKD) -> MMKD:
    copied = distiller._config.build()
    copied.extend(Student().double(), Teachers(dtype=torch.float64).at(0), seed=3)
    copied._learned.load_state_dict(distiller._learned.state_dict())
    return copied


@torch.no_grad()
def _permute(source: MMKD, target: MMKD, order: tuple[int, ...], teachers: Teachers) -> None:
    """Gives a distiller the networks of another whose teachers stand in another order."""
    classes = teachers.whole.ensemble_logits.shape[2]
    natural = Teachers(dtype=torch.float64).whole.teacher_features
    sizes = {"logits": [classes] * 3, "features": [maps.shape[1] for maps in natural]}
    for of, network in target._learned.networks.items():
        theirs = source._learned.networks[of]
        *blocks, own = theirs.first.weight.split(
            [*sizes[of], theirs.first.in_features - sum(sizes[of])],
            dim=1,
        )
        network.first.weight.copy_(torch.cat([*[blocks[k] for k in order], own], dim=1))
        network.first.bias.copy_(theirs.first.bias)
        network.last.weight.copy_(theirs.last.weight[list(order)])
        network.last.bias.copy_(theirs.last.bias[list(order)])
    if target._matched is not None and source._matched is not None:
        for index, teacher in enumerate(order):
            state = source._matched.regressors[teacher].state_dict()
            target._matched.regressors[index].load_state_dict(state)


class OneKnowsNothing:
    """Batches of points, with the logits of a linear teacher and of one that makes them up."""

    steps_per_epoch = 8

    def __init__(self, seed: int) -> None:
        generator, truth = (torch.Generator().manual_seed(number) for number in (seed, 77))
        inputs = torch.randn(96, 8, generator=generator)
        logits = 2 * inputs @ torch.randn(8, 4, generator=truth)
        made_up = 4 * torch.randn(96, 4, generator=generator)
        labels = (logits + torch.randn(96, 4, generator=generator)).argmax(dim=1)
        self.whole = Batch(inputs, labels, None, torch.stack([logits, made_up], dim=1))

    def epoch(self, epoch: int) -> Iterator[Batch]:
        order = torch.randperm(96, generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(12):
            yield self.whole.each(partial(torch.index_select, dim=0, index=rows))

    def at(self, step: int) -> Batch:
        return self.whole.each(lambda rows: rows[step % 8 :: 8])


@pytest.mark.parametrize(
    "config",
    [MMKDConfig(), MMKDConfig(meta_data="held_out"), replace(THREE_STEPS, features_weight=0.0)],
    ids=["next batch", "held out", "three steps"],
)
def test_a_teacher_that_knows_nothing_comes_to_count_less(config: MMKDConfig) -> None:
    distiller = replace(config, interval=1, start="equal", meta_lr=0.01).build()
    batches, held_out = OneKnowsNothing(0), OneKnowsNothing(5)
    torch.manual_seed(0)
    student = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    distiller.extend(student, batches.at(0), seed=0)
    training = Training(student, distiller, RECIPE, batches, held_out)
    records = [training.run_epoch() for _ in range(6)]
    good, bad = weights_of(records[-1])["all"].weights
    assert good > 0.6 > 0.4 > bad


@pytest.mark.parametrize("config", [MMKDConfig(features_weight=1.0), CAMKDConfig()])
def test_weights_are_reported_by_what_the_student_said_and_by_class(
    config: SeveralTeachersConfig,
) -> None:
    _, records = run(config)
    for of in ("logits", "features")[: 1 + config.uses_features]:
        found = weights_of(records[2], of)
        assert (
            {"all", "right", "wrong"}
            <= set(found)
            <= {"all", "right", "wrong"} | {f"class {c}" for c in range(4)}
        )
        assert found["all"].samples == SAMPLES
        assert found["right"].samples + found["wrong"].samples == SAMPLES
        by_class = [each.samples for among, each in found.items() if among.startswith("class")]
        assert sum(by_class) == SAMPLES
        assert all(sum(each.weights) == pytest.approx(1.0) for each in found.values())


def test_methods_whose_weights_are_all_alike_report_none() -> None:
    for config in (MeanLossesConfig(features_weight=1.0), MMKDConfig(learns="temperatures")):
        assert run(config)[1][-1].teacher_weights == ()


@pytest.mark.parametrize(
    "config",
    [
        MMKDConfig(interval=2, meta_fraction=0.5),
        MMKDConfig(interval=2, meta_fraction=0.5, meta_data="held_out", features_weight=1.0),
        replace(THREE_STEPS, interval=5),
        replace(THREE_STEPS, meta_fraction=0.5, features_weight=0.0),
    ],
    ids=str,
)
def test_look_aheads_cost_what_the_configuration_says(config: MMKDConfig) -> None:
    _, records = run(config)
    steps, awaited = 24, config.meta_data == "train"
    assert sum(r.meta_steps for r in records) == config.look_aheads(steps - awaited)
    found = sum(r.step_equivalents for r in records)
    assert isinstance(config, LookAheads)
    assert found == pytest.approx(steps + config.look_ahead_equivalents(steps - awaited, BATCH))


def test_the_published_schedule_costs_four_passes_and_three_reverse_ones() -> None:
    config = MMKDConfig.reference()
    assert config.step_equivalents(64, 64) == 4 + 1.25 + 2 * 4
    assert replace(config, estimator="double_backward").step_equivalents(64, 64) == 4 + 3 * 4


@pytest.mark.parametrize(
    "config",
    [
        MMKDConfig(interval=2, features_weight=1.0),
        replace(THREE_STEPS, features_weight=1.0, feature_units="relative", rectified=False),
    ],
    ids=["one step", "three steps"],
)
def test_under_autocast_what_is_learned_stays_in_full_precision(config: MMKDConfig) -> None:
    losses = {}
    for autocast in (None, torch.bfloat16):
        _, distiller, training = begun(config, autocast=autocast)
        losses[autocast] = [training.run_epoch() for _ in range(3)][-1].train_loss
        assert isinstance(distiller, MMKD)
        assert all(parameter.dtype == torch.float32 for parameter in distiller._learned.phi)
    assert losses[torch.bfloat16] == pytest.approx(losses[None], rel=0.05)
    assert losses[torch.bfloat16] != losses[None]


def test_a_look_ahead_that_is_not_finite_moves_nothing_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    teachers, poisoned = Teachers(), Teachers(seed=9)
    poisoned.whole.inputs.fill_(torch.nan)
    distiller = MMKDConfig(interval=1, meta_data="held_out").build()
    student = distiller.extend(Student(), teachers.at(0), seed=3)
    training = Training(student, distiller, RECIPE, teachers, poisoned)
    with caplog.at_level(logging.WARNING):
        records = [training.run_epoch() for _ in range(2)]
    assert sum(record.meta_steps_skipped for record in records) == 8
    assert weights_of(records[-1])["all"].weights == pytest.approx([1 / 3] * 3)
    assert distiller.state_dict()["skipped"] == 8
    assert [r.getMessage()[:33] for r in caplog.records] == [
        "the meta gradient is not finite (m"[:33]
    ]


def test_soft_labels_are_taken_everywhere() -> None:
    teachers = Teachers()
    soft = torch.nn.functional.one_hot(teachers.whole.labels, 4) * 0.7 + 0.075
    teachers.whole = teachers.whole._replace(labels=soft)
    for config in (MMKDConfig(interval=2, features_weight=1.0), THREE_STEPS):
        record = run(config, teachers)[1][-1]
        assert record.meta_steps_skipped == 0
        assert weights_of(record)["right"].samples > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learns": "all"}, "learns must be one of weights, temperatures, both"),
        ({"look_ahead": "two_step"}, "got look_ahead='two_step'"),
        ({"start": "zero"}, "got start='zero'"),
        ({"feature_input": "raw"}, "feature_input must be one of pooled, gram, gram_raw"),
        ({"feature_units": "odd"}, "feature_units must be one of relative, raw"),
        ({"buffer_size": 0}, "buffer_size=0"),
        ({"meta_lr": 0.0}, "meta_lr=0.0"),
        ({"meta_weight_decay": -1.0}, "meta_weight_decay=-1.0"),
        ({"confidence": 0.0}, "confidence=0.0"),
        ({"tau_range": (4.0, 2.0)}, "tau_range must rise"),
        ({"interval": 0}, "interval=0"),
        ({"tau_s": 0.0}, "tau_s=0.0"),
        ({"look_ahead": "three_step", "horizon": 2}, "horizon must be 1, got horizon=2"),
        ({"feature_input": "gram", "features_weight": 1.0}, "needs whole batches, meta_fraction 1"),
    ],
)
def test_a_field_out_of_its_range_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MMKDConfig(**wrong)


def test_a_draw_that_the_buffer_cannot_hold_is_refused_before_training() -> None:
    config = replace(THREE_STEPS, buffer_size=BATCH - 1)
    with pytest.raises(DrawError, match=f"draws {BATCH} samples .* holds {BATCH - 1}: raise"):
        begun(config)
    begun(replace(config, meta_fraction=0.5))


def test_a_gram_network_names_the_batch_that_it_was_made_for() -> None:
    config = MMKDConfig(features_weight=1.0, feature_input="gram", meta_fraction=1.0)
    trained, distiller, _ = begun(config)
    part = Teachers().at(0).first(5)
    with pytest.raises(TeachersError, match=r"made for 48 numbers a sample, got 20: .* samples"):
        distiller.loss(trained(part.inputs), part)


def test_what_was_not_shown_a_batch_says_so() -> None:
    student = Student()
    with pytest.raises(RuntimeError, match="call extend before training"):
        Training(student, MMKDConfig().build(), RECIPE, Teachers())
    batch = Teachers().at(0)
    with pytest.raises(RuntimeError, match="call extend before training: features"):
        MeanLossesConfig(features_weight=1.0).build().loss(student(batch.inputs), batch)
    without: Batch = batch._replace(teacher_features=())
    with pytest.raises(FeatureError, match="batches must hold teacher_features"):
        MMKDConfig(features_weight=1.0).build().extend(student, without, seed=0)


def test_teachers_of_other_classes_are_refused_in_one_line() -> None:
    trained, distiller, _ = begun(MMKDConfig())
    batch = Teachers().at(0)
    assert batch.ensemble_logits is not None
    fewer = batch._replace(ensemble_logits=batch.ensemble_logits[:, :, :3])
    with pytest.raises(TeachersError, match="same classes"):
        distiller.loss(trained(batch.inputs), fewer)


@pytest.mark.parametrize("kind", [MeanLossesConfig, MeanLogitsConfig, CAMKDConfig])
def test_baselines_match_features_of_all_teachers_alike(kind: Any) -> None:
    """In relative units a teacher's features may be large or small."""
    losses = []
    for size in (1.0, 100.0):
        teachers = Teachers()
        first, *others = teachers.whole.teacher_features
        teachers.whole = teachers.whole._replace(teacher_features=(size * first, *others))
        trained, distiller, _ = begun(kind(features_weight=1.0), teachers)
        batch = teachers.at(0)
        outputs = trained(batch.inputs)
        found = distiller.loss(outputs, batch)
        logits_alone = kind().build().loss(outputs[:, :4], batch)
        assert found.features is not None
        torch.testing.assert_close(found.total, logits_alone.total + found.features)
        losses.append(float(found.features.detach()))
    raw = kind(features_weight=1.0, feature_units="raw")
    trained, distiller, _ = begun(raw, teachers)
    features = distiller.loss(trained(batch.inputs), batch).features
    assert features is not None
    assert float(features.detach()) > 100 * losses[1]
    assert losses[1] < 2 * losses[0]

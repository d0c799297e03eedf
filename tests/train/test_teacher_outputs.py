"""Trials of several teachers: from the bank as live, and resumed as undisturbed."""

import pickle
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import run_ranks
from stopped_trials import state_of_stopped
from torch import nn

from metakd.core.distillers import (
    CAMKDConfig,
    DistillerConfig,
    KDConfig,
    MeanLossesConfig,
    MMKDConfig,
)
from metakd.core.ensemble_loss import TeachersError
from metakd.core.evaluation import Evaluation
from metakd.data.bank import build_outputs, build_views
from metakd.results.compaction import compact
from metakd.results.reader import packed_trials, read_steps
from metakd.train.commit import commit, result_of
from metakd.train.epochs import Progress
from metakd.train.folder import StudyFolder
from metakd.train.inputs import HeldOut, ShuffledBatches
from metakd.train.samples import Samples, open_samples
from metakd.train.sampling import training_views
from metakd.train.student import Bank, Outcome, run_trial, training_batches
from metakd.train.teacher import (
    TeacherReport,
    new_teacher,
    open_teacher_with_features,
    store_teacher,
)
from metakd.train.teacher_outputs import Teacher, Teachers
from metakd.train.trial import Trial

VIT = "timm:vit_tiny_patch16_224,patch_size=4,embed_dim=24,depth=1,num_heads=2"
FEATURES = MMKDConfig(features_weight=1.0, interval=2, learns="both")


@pytest.fixture
def several(prepared: Any) -> tuple[StudyFolder, Trial]:
    """A perceptron, a transformer and a convolutional network teach at once."""
    folder, trial = prepared
    more = tuple(replace(trial.teacher, model=model) for model in (VIT, "digit_cnn_small"))
    for spec in more:
        store_teacher(spec, folder, new_teacher(spec, folder), TeacherReport(0.1, 0.1, 0.0))
    return folder, replace(trial, further_teachers=more, distiller=MeanLossesConfig())


def bank_of(folder: StudyFolder, trial: Trial, names: tuple[str, ...], has_views: bool) -> Bank:
    samples = open_samples(trial.data, folder)
    views = training_views(
        trial.sampling, trial.recipe, trial.seed, samples.dataset, samples.splits.train
    )
    if has_views:
        build_views(folder.banks, views)
    for spec in trial.teachers:
        forward = open_teacher_with_features(spec, folder)
        build_outputs(
            folder.banks,
            views,
            spec.id,
            lambda images, forward=forward: forward(samples.normalise(images)),  # type: ignore[misc]
            trial.sampling.logits,
            names,
        )
    return Bank(views.id, has_views, "features" in names)


def numbers(outcome: Outcome) -> list[Any]:
    records = [replace(epoch.record, compute_s=0.0) for epoch in outcome.epochs]
    return [records, [e.validation for e in outcome.epochs], outcome.test_last]


def floats_in(value: Any) -> list[float]:
    """Returns all numbers in nested dataclasses, lists and tuples, in order."""
    if is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, list | tuple):
        return [number for item in value for number in floats_in(item)]
    return [float(value)] if isinstance(value, int | float) else []


@pytest.mark.parametrize("distiller", [CAMKDConfig(), FEATURES], ids=lambda c: c.method)
def test_the_bank_and_the_live_teachers_give_the_same_run(
    several: tuple[StudyFolder, Trial], distiller: DistillerConfig
) -> None:
    folder, trial = several
    trial = replace(trial, distiller=distiller)
    live = numbers(run_trial(trial, folder, bank=None))
    logits = bank_of(folder, trial, ("logits",), has_views=False)
    assert numbers(run_trial(trial, folder, logits)) == live
    whole = bank_of(folder, trial, ("logits", "features"), has_views=True)
    assert whole.id == logits.id
    # Some CPUs round convolutions otherwise in the batches of another size that a bank is made in;
    # logits are kept in half precision, features are not.
    near = {"rel": 1e-4, "abs": 1e-6} if distiller.uses_features else {"rel": 0.0, "abs": 0.0}
    found = floats_in(numbers(run_trial(trial, folder, whole)))
    assert found == pytest.approx(floats_in(live), **near)


def test_batches_hold_the_teachers_in_the_order_of_the_trial(
    several: tuple[StudyFolder, Trial],
) -> None:
    folder, trial = several
    samples = open_samples(trial.data, folder)
    batch = training_batches(replace(trial, distiller=FEATURES), folder, samples, None).example()
    assert batch.ensemble_logits is not None
    assert batch.ensemble_logits.shape[1:] == (3, 10)
    assert [tuple(each.shape[1:]) for each in batch.teacher_features] == [
        (64, 1, 1),
        (24, 2, 2),
        (36, 4, 4),
    ]
    for place, spec in enumerate(trial.teachers):
        alone = replace(trial, teacher=spec, further_teachers=(), distiller=KDConfig())
        one = training_batches(alone, folder, samples, None).example()
        assert one.teacher_logits is not None
        assert torch.equal(batch.ensemble_logits[:, place], one.teacher_logits)


def test_one_teacher_of_several_is_kd(several: tuple[StudyFolder, Trial]) -> None:
    folder, trial = several
    alone = replace(trial, further_teachers=())
    kd = numbers(run_trial(replace(alone, distiller=KDConfig()), folder, None))
    mmkd = numbers(run_trial(replace(alone, distiller=MMKDConfig(interval=1000)), folder, None))
    assert mmkd[1:] == kd[1:]


RESUMED = {
    "mean_losses": MeanLossesConfig(),
    "mean_features": MeanLossesConfig(features_weight=1.0),
    "mmkd": FEATURES,
    # Its hard buffer and its weight networks are part of the state, too.
    "mmkd-reference": replace(MMKDConfig.reference(), buffer_size=64),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_that_was_stopped_ends_as_undisturbed(
    several: tuple[StudyFolder, Trial], name: str
) -> None:
    folder, trial = several
    trial = replace(trial, distiller=RESUMED[name])
    undisturbed = numbers(run_trial(trial, folder, None))
    trained = state_of_stopped(trial, folder)["training"]["student"]
    assert any(part.startswith("regressors.") for part in trained) == (name != "mean_losses")
    assert numbers(run_trial(trial, folder, None)) == undisturbed


def test_the_bare_student_is_judged_and_selected(
    several: tuple[StudyFolder, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = several
    judged, selected = set(), set()
    evaluate, add = Samples.evaluate, Progress.add

    def spy_evaluate(self: Samples, model: nn.Module, held_out: HeldOut) -> Evaluation:
        judged.add(type(model))
        return evaluate(self, model, held_out)

    def spy_add(self: Progress, *seen: Any) -> None:
        add(self, *seen)
        selected.update(self.selected_state)

    monkeypatch.setattr(Samples, "evaluate", spy_evaluate)
    monkeypatch.setattr(Progress, "add", spy_add)
    run_trial(replace(trial, distiller=FEATURES), folder, None)
    student = open_samples(trial.data, folder).new_model(trial.student, trial.seed)
    assert judged == {type(student)}
    assert selected == set(student.state_dict())


def test_who_extends_no_student_looks_at_no_batch_before_the_first(
    several: tuple[StudyFolder, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = several
    alone = replace(trial, further_teachers=(), distiller=KDConfig())
    monkeypatch.setattr(ShuffledBatches, "example", lambda self: pytest.fail("looked"))
    run_trial(alone, folder, None)
    with pytest.raises(pytest.fail.Exception, match="looked"):
        run_trial(trial, folder, None)


def test_a_look_at_the_first_batch_is_the_first_batch(several: tuple[StudyFolder, Trial]) -> None:
    folder, trial = several
    samples = open_samples(trial.data, folder)
    batches = training_batches(replace(trial, distiller=FEATURES), folder, samples, None)
    looked, first, again = batches.example(), *(next(iter(batches.epoch(0))) for _ in range(2))
    for batch in (first, again):
        same = map(torch.equal, looked.tensors, batch.tensors)
        assert all(same)


def test_two_workers_with_half_of_each_batch_come_to_what_one_comes_to(
    several: tuple[StudyFolder, Trial], tmp_path: Path
) -> None:
    folder, trial = several
    # timm takes each process seconds to import.
    further = tuple(spec for spec in trial.further_teachers if spec.model != VIT)
    recipe = replace(trial.recipe, epochs=2)
    trial = replace(trial, further_teachers=further, recipe=recipe, distiller=FEATURES)
    (tmp_path / "work").write_bytes(pickle.dumps((trial, folder)))
    first, second = run_ranks(Path(__file__).parent / "trial_rank.py", 2, tmp_path)
    assert first == second
    alone = run_trial(trial, folder, None)
    for epoch, record in zip(alone.epochs, first["records"], strict=True):
        expected = flat(asdict(replace(epoch.record, compute_s=0.0)))
        assert flat(record) == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert alone.test_last is not None
    assert first["test_acc"] == pytest.approx(alone.test_last.accuracy, abs=0.006)


def flat(value: object) -> list[float]:
    """Returns all numbers of a record, in one order."""
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in flat(value[key])]
    if isinstance(value, list | tuple):
        return [number for item in value for number in flat(item)]
    return [float(value)] if isinstance(value, int | float) else []


def test_a_committed_curve_says_what_each_teacher_counted(
    several: tuple[StudyFolder, Trial], tmp_path: Path
) -> None:
    folder, trial = several
    trial = replace(trial, distiller=FEATURES)
    outcome = run_trial(trial, folder, None)
    store = StudyFolder(tmp_path)
    commit([(trial, result_of(trial, outcome, "abc"))], store)
    rows = read_steps(store.out, [trial.id]).to_pylist()
    compact(store.out)
    assert packed_trials(store.out) == {trial.id}
    assert read_steps(store.out, [trial.id]).to_pylist() == rows
    assert len(rows) == trial.recipe.epochs
    for row in rows:
        assert row["feature_loss"] > 0
        found = {(each["of"], each["among"]): each for each in row["teacher_weights"]}
        assert {("logits", "all"), ("features", "right"), ("logits", "class 3")} <= set(found)
        for each in found.values():
            assert len(each["weights"]) == 3
            assert sum(each["weights"]) == pytest.approx(1)
        outcomes = [found["features", among]["samples"] for among in ("right", "wrong")]
        assert sum(outcomes) == found["features", "all"]["samples"]


def test_teachers_that_differ_in_their_classes_are_refused_in_one_line() -> None:
    def speaks(classes: int) -> Teacher:
        return Teacher({}, lambda inputs: {"logits": torch.zeros(len(inputs), classes)})

    with pytest.raises(TeachersError, match=r"one shape \(B, C\), got \(2, 10\), \(2, 9\)"):
        Teachers([speaks(10), speaks(9)], True).outputs(torch.arange(2), 0, torch.zeros(2, 1, 8, 8))

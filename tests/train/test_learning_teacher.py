"""Trials whose teacher learns to teach: from the bank as live, on record, resumed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from stopped_trials import state_of_stopped

from metakd.core.distillers import KDConfig, MetaDistilConfig
from metakd.data.bank import build_outputs
from metakd.results.reader import read_steps, read_trials
from metakd.train.commit import commit, result_of
from metakd.train.folder import StudyFolder
from metakd.train.samples import open_samples
from metakd.train.sampling import training_views
from metakd.train.student import Bank, Outcome, run_trial
from metakd.train.teacher import open_teacher
from metakd.train.trial import Trial

CONFIG = MetaDistilConfig(teacher_lr=0.05, warmup=1.0, interval=2)


@pytest.fixture
def taught(prepared: Any) -> tuple[StudyFolder, Trial]:
    folder, trial = prepared
    return folder, replace(trial, distiller=CONFIG)


def numbers(outcome: Outcome) -> list[Any]:
    records = [replace(epoch.record, compute_s=0.0) for epoch in outcome.epochs]
    validations = [(e.validation, e.teacher_validation) for e in outcome.epochs]
    return [records, validations, outcome.test_last, outcome.teacher_test]


def bank_of(folder: StudyFolder, trial: Trial) -> Bank:
    samples = open_samples(trial.data, folder)
    views = training_views(
        trial.sampling, trial.recipe, trial.seed, samples.dataset, samples.splits.train
    )
    assert trial.teacher is not None
    forward = open_teacher(trial.teacher, folder)
    build_outputs(
        folder.banks,
        views,
        trial.teacher.id,
        lambda images: {"logits": forward(samples.normalise(images))},
        trial.sampling.logits,
    )
    return Bank(views.id, has_views=False)


def test_the_bank_serves_the_warm_up_and_nothing_after_it(
    taught: tuple[StudyFolder, Trial],
) -> None:
    folder, trial = taught
    live = numbers(run_trial(trial, folder, None))
    assert numbers(run_trial(trial, folder, bank_of(folder, trial))) == live


def test_a_teacher_that_stays_is_kd_whatever_it_is_called(
    taught: tuple[StudyFolder, Trial],
) -> None:
    folder, trial = taught
    kd = run_trial(replace(trial, distiller=KDConfig()), folder, None)
    fixed = run_trial(replace(trial, distiller=MetaDistilConfig(teacher_lr=0.0)), folder, None)
    assert numbers(fixed)[0] == numbers(kd)[0]
    assert fixed.test_last == kd.test_last
    assert kd.teacher_test is None


def test_what_becomes_of_the_teacher_is_on_record_and_its_file_stays(
    taught: tuple[StudyFolder, Trial],
) -> None:
    folder, trial = taught
    assert trial.teacher is not None
    file = folder.teachers / trial.teacher.id / "model.pt"
    before = file.read_bytes()
    outcome = run_trial(trial, folder, None)
    assert file.read_bytes() == before
    commit([(trial, result_of(trial, outcome, "abc"))], folder)
    steps = read_steps(folder.out, [trial.id]).to_pylist()
    assert [step["meta_loss_before"] is None for step in steps] == [True, False, False]
    assert all(0 <= step["teacher_val_acc"] <= 1 for step in steps)
    (row,) = read_trials(folder.out, [trial.id]).to_pylist()
    assert outcome.teacher_test is not None
    assert row["teacher_test_acc_last"] == outcome.teacher_test.accuracy
    assert row["teacher_val_acc_last"] == pytest.approx(steps[-1]["teacher_val_acc"])
    losses = [e.teacher_validation.loss for e in outcome.epochs if e.teacher_validation is not None]
    assert len(set(losses)) == len(steps), "it moves in every epoch after the warm-up"


def test_a_run_that_was_stopped_goes_on_with_the_teacher_as_it_was(
    taught: tuple[StudyFolder, Trial],
) -> None:
    folder, trial = taught
    trial = replace(trial, seed=9)
    undisturbed = numbers(run_trial(trial, folder, None))
    kept = state_of_stopped(trial, folder)
    assert kept["training"]["distiller"]["teacher"] is not None
    assert numbers(run_trial(trial, folder, None)) == undisturbed


def test_a_teacher_without_parameters_is_one_line(
    taught: tuple[StudyFolder, Trial], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from metakd.core.live_teacher import TeacherError
    from metakd.train import student as module

    folder, trial = taught
    monkeypatch.setattr(module, "open_module", lambda *_: torch.nn.Flatten())
    with pytest.raises(TeacherError, match=r"^the teacher, a Flatten, has no trainable parameters"):
        run_trial(replace(trial, seed=11), folder, None)


def test_a_teacher_is_judged_again_only_where_it_may_have_moved(
    taught: tuple[StudyFolder, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    from metakd.train import samples as module

    folder, trial = taught
    judged: list[torch.nn.Module] = []
    evaluate = module.evaluate

    def watched(model: torch.nn.Module, *rest: Any) -> Any:
        judged.append(model)
        return evaluate(model, *rest)

    monkeypatch.setattr(module, "evaluate", watched)
    two_warm = replace(trial, seed=12, distiller=replace(CONFIG, warmup=2.0))
    outcome = run_trial(two_warm, folder, None)
    accuracies = [epoch.teacher_validation for epoch in outcome.epochs]
    assert accuracies[0] == accuracies[1] != accuracies[2]
    of_teacher = [model for model in judged if model is not judged[0]]
    assert len(of_teacher) == 3, "after the first epoch, after the one it moved in, and on test"

"""A trial's run: fair, repeatable, and the same from the bank as live."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import metakd
from metakd.core.distillers import (
    CrossEntropyConfig,
    DistillerConfig,
    KDConfig,
    MKDConfig,
    scheduled,
)
from metakd.core.evaluation import Evaluation
from metakd.data.bank import build_outputs, build_views
from metakd.data.catalogue import OutputType, find_recipe
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.student_card import write_card
from metakd.train import student as student_module
from metakd.train.commit import commit, result_of
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import InFlight
from metakd.train.inputs import HeldOut, HeldOutMetaBatches, ShuffledBatches
from metakd.train.samples import Samples, open_samples
from metakd.train.sampling import training_views
from metakd.train.share import Share, ShareError
from metakd.train.student import Bank, Outcome, run_trial, training_batches
from metakd.train.teacher import open_teacher
from metakd.train.trial import Trial


def build_bank(folder: StudyFolder, trial: Trial, scale: float, has_views: bool) -> Bank:
    """Builds the bank that serves the trial, perhaps of a larger scale."""
    samples = open_samples(trial.data, folder)
    views = training_views(
        replace(trial.sampling, scale=scale),
        trial.recipe,
        trial.seed,
        samples.dataset,
        samples.splits.train,
    )
    if has_views:
        build_views(folder.banks, views)
    assert trial.teacher is not None
    forward = open_teacher(trial.teacher, folder)
    build_outputs(
        folder.banks,
        views,
        trial.teacher.id,
        lambda images: {"logits": forward(samples.normalise(images))},
        trial.sampling.logits,
        batch_size=100,  # leaves no batch of one sample, which is multiplied in another order
    )
    return Bank(views.id, has_views)


def numbers(outcome: Outcome) -> list[Any]:
    """All that a run computes, without what depends on time."""
    records = [replace(epoch.record, compute_s=0.0) for epoch in outcome.epochs]
    return [
        records,
        [e.validation for e in outcome.epochs],
        outcome.test_last,
        outcome.test_selected,
    ]


@pytest.mark.parametrize("logits", ["float32", "float16"])
@pytest.mark.parametrize("augmentation", ["none", "strong", "mixup+cutmix", "vit"])
def test_the_bank_and_the_live_teacher_give_the_same_run_bitwise(
    prepared: Any, augmentation: str, logits: OutputType
) -> None:
    folder, trial = prepared
    trial = replace(
        trial,
        sampling=replace(trial.sampling, augmentation=augmentation, logits=logits),
        recipe=replace(trial.recipe, epochs=2),
    )
    live = numbers(run_trial(trial, folder, bank=None))
    # Without mixing in pairs a bank of a larger scale serves the smaller one.
    is_mixed = find_recipe(augmentation).mixing is not None
    for scale in [trial.sampling.scale] if is_mixed else [trial.sampling.scale, 1.0]:
        for has_views in (False, True):
            bank = build_bank(folder, trial, scale, has_views)
            assert numbers(run_trial(trial, folder, bank)) == live


def test_a_grid_of_temperatures_asks_the_teacher_once(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = prepared
    bank = build_bank(folder, trial, trial.sampling.scale, has_views=False)
    monkeypatch.setattr(student_module, "open_teacher", lambda *_: pytest.fail("asked again"))
    for distiller in (KDConfig(1.0, 1.0), KDConfig(16.0, 16.0), MKDConfig()):
        run_trial(replace(trial, distiller=distiller), folder, bank)
    with pytest.raises(pytest.fail.Exception, match="asked again"):
        run_trial(trial, folder, None)


def test_a_teacher_kept_in_half_precision_is_another_trial(prepared: Any) -> None:
    folder, trial = prepared
    exact = replace(trial, sampling=replace(trial.sampling, logits="float32"))
    assert exact.id != trial.id
    half, full = (numbers(run_trial(t, folder, None))[0][-1] for t in (trial, exact))
    assert half.kd_loss != full.kd_loss
    assert half.kd_loss == pytest.approx(full.kd_loss, rel=1e-2)


def test_fewer_views_come_round_again(prepared: Any) -> None:
    folder, trial = prepared
    trial = replace(trial, sampling=replace(trial.sampling, views=2))
    samples = open_samples(trial.data, folder)
    batches = training_batches(trial, folder, samples, None)

    def seen(epoch: int) -> set[bytes]:
        return {x.numpy().tobytes() for batch in batches.epoch(epoch) for x in batch.inputs}

    # An epoch leaves out the last incomplete batch, each time of other samples.
    assert len(seen(0) & seen(2)) > 0.6 * len(seen(0))
    assert not seen(0) & seen(1)


def test_as_many_steps_for_fewer_samples(prepared: Any) -> None:
    folder, trial = prepared
    trial = replace(trial, sampling=replace(trial.sampling, match="steps"))
    samples = open_samples(trial.data, folder)
    batches = training_batches(trial, folder, samples, None)
    assert batches.steps_per_epoch == len(samples.splits.train) // trial.recipe.batch_size
    steps = [batch for epoch in range(2) for batch in batches.epoch(epoch)]
    assert len(steps) == 2 * batches.steps_per_epoch
    # Pass by pass, over the borders of epochs: each sample once before any comes again.
    in_a_pass = batches.samples // trial.recipe.batch_size
    for start in range(0, len(steps) - in_a_pass, in_a_pass):
        labels = torch.cat([step.labels for step in steps[start : start + in_a_pass]])
        others = torch.cat([step.labels for step in steps[:in_a_pass]])
        assert (labels.bincount() - others.bincount()).abs().max() <= trial.recipe.batch_size
    inputs = torch.cat([step.inputs for step in steps])
    assert len(inputs.flatten(1).unique(dim=0)) == len(inputs)
    assert numbers(run_trial(trial, folder, build_bank(folder, trial, 0.3, True))) == numbers(
        run_trial(trial, folder, None)
    )


@pytest.mark.parametrize("distiller", [KDConfig(), MKDConfig(), CrossEntropyConfig()])
def test_the_same_trial_gives_the_same_run_bitwise(
    prepared: Any, distiller: DistillerConfig
) -> None:
    folder, trial = prepared
    teacher = trial.teacher if distiller.uses_teacher else None
    trial = replace(trial, distiller=distiller, teacher=teacher)
    assert numbers(run_trial(trial, folder, None)) == numbers(run_trial(trial, folder, None))


def test_another_seed_is_another_run(prepared: Any) -> None:
    folder, trial = prepared
    other = replace(trial, seed=5)
    assert numbers(run_trial(trial, folder, None)) != numbers(run_trial(other, folder, None))


def test_every_method_starts_from_the_same_weights_and_sees_the_same_batches(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = prepared
    seen: list[Any] = []

    def spy(student, distiller, recipe, batches, meta_batches, autocast):
        weights = [p.detach().clone() for p in student.parameters()]
        stream = [(b.inputs, b.labels) for epoch in range(2) for b in batches.epoch(epoch)]
        seen.append((weights, stream))
        raise InterruptedError

    monkeypatch.setattr(student_module, "Training", spy)
    for distiller in (CrossEntropyConfig(), KDConfig(tau_s=1.0), MKDConfig()):
        teacher = trial.teacher if distiller.uses_teacher else None
        with pytest.raises(InterruptedError):
            run_trial(replace(trial, distiller=distiller, teacher=teacher), folder, None)
    (weights, stream), *others = seen
    for other_weights, other_stream in others:
        assert all(torch.equal(a, b) for a, b in zip(weights, other_weights, strict=True))
        for (x, y), (other_x, other_y) in zip(stream, other_stream, strict=True):
            assert torch.equal(x, other_x)
            assert torch.equal(y, other_y)


def test_test_data_are_read_only_after_the_last_step(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = prepared
    samples = open_samples(trial.data, folder)
    order: list[str] = []

    def spy(self, model, batches) -> Evaluation:
        order.append("test" if batches is samples.test else "validation")
        return Evaluation(0.5, 1.0)

    monkeypatch.setattr(Samples, "evaluate", spy)
    run_trial(trial, folder, None)
    assert order == ["validation"] * trial.recipe.epochs + ["test", "test"]


def test_the_selected_epoch_is_the_first_best_on_validation(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = prepared
    trial = replace(trial, recipe=replace(trial.recipe, epochs=5))
    told = iter([0.2, 0.8, 0.5, 0.8, 0.3])
    states: list[torch.Tensor] = []

    def spy(self, model, batches) -> Evaluation:
        states.append(next(iter(model.parameters())).detach().clone())
        return Evaluation(next(told, 0.0), 1.0)

    monkeypatch.setattr(Samples, "evaluate", spy)
    outcome = run_trial(trial, folder, None)
    assert outcome.selected_epoch == 1
    at_last, at_selected = states[-2:]
    assert torch.equal(at_last, states[4])
    assert torch.equal(at_selected, states[1])


def test_its_student_is_kept_and_comes_back_to_the_same_accuracy(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = prepared
    accuracies = iter([0.5, 0.9, 0.2])
    evaluate = Samples.evaluate

    def falling(samples: Samples, model: torch.nn.Module, held_out: Any) -> Evaluation:
        found = evaluate(samples, model, held_out)
        # The epoch before the last is the best: its weights are read back for the test set.
        return found if held_out is samples.test else found._replace(accuracy=next(accuracies))

    monkeypatch.setattr(Samples, "evaluate", falling)
    outcome = run_trial(trial, folder, None, keep_students="all")
    assert outcome.selected_epoch == 1
    result = result_of(trial, outcome, "abc")
    assert result.student is not None
    weights = folder.students / f"{trial.id}.safetensors"
    assert not weights.with_suffix(".json").exists()
    write_card(weights, replace(result.student, trial=result.row.to_pylist()[0]))

    student = metakd.load_student(weights)
    samples = open_samples(trial.data, folder)
    images = samples.dataset.pixels(samples.splits.test)
    labels = torch.tensor(samples.dataset.labels[samples.splits.test])
    with torch.no_grad():
        accuracy = (student(images).argmax(1) == labels).float().mean()
    assert outcome.test_last is not None
    assert float(accuracy) == pytest.approx(outcome.test_last.accuracy)
    assert student.card.trial["test_acc_last"] == outcome.test_last.accuracy
    assert student.card.classes == samples.dataset.class_names
    assert student.card.trial["tau_s_last"] == 4.0


def test_a_student_that_a_kept_one_beats_is_not_written(prepared: Any, tmp_path: Path) -> None:
    folder, trial = prepared
    trial = replace(trial, seed=79)
    weights = folder.students / f"{trial.id}.safetensors"
    first = run_trial(trial, folder, None, keep_students="best")
    assert first.student is not None
    weights.unlink()
    row = result_of(trial, first, "abc").row.to_pylist()[0]
    for other, is_written in (
        ({"val_acc_last": 1.0}, False),
        ({"val_acc_last": 1.0, "validation_samples_learned": 5}, True),
        ({"val_acc_last": 1.0, "teacher": "another"}, True),
        ({"val_acc_last": 0.0}, True),
    ):
        kept = folder.students / "other.safetensors"
        write_card(kept, replace(first.student, trial={**row, "trial_id": "other", **other}))
        again = run_trial(trial, folder, None, keep_students="best")
        assert (again.student is not None) is weights.exists() is is_written
        weights.unlink(missing_ok=True)
        kept.with_suffix(".json").unlink()
    # A run without a teacher may be the best of another setting.
    alone = replace(trial, teacher=None, distiller=CrossEntropyConfig())
    write_card(
        folder.students / "other.safetensors",
        replace(
            first.student, trial={**row, "trial_id": "other", "val_acc_last": 1.0, "teacher": None}
        ),
    )
    assert run_trial(alone, folder, None, keep_students="best").student is not None


def test_no_student_is_left_where_none_is_kept_or_a_search_stopped_it(prepared: Any) -> None:
    folder, trial = prepared
    trial = replace(trial, seed=77)
    assert run_trial(trial, folder, None).student is None
    stopped = replace(trial, seed=78, stop_after=1)
    assert run_trial(stopped, folder, None, keep_students="all").student is None
    for each in (trial, stopped, stopped.whole):
        assert not (folder.students / f"{each.id}.safetensors").exists()


def test_a_committed_trial_is_in_the_store_as_it_ran(prepared: Any) -> None:
    folder, trial = prepared
    trial = replace(trial, distiller=MKDConfig())
    outcome = run_trial(trial, folder, None)
    commit([(trial, result_of(trial, outcome, "abc"))], folder)
    assert trial.id in finished_trials(folder.out)
    (row,) = read_trials(folder.out, [trial.id]).to_pylist()
    assert row["test_acc_last"] == outcome.test_last.accuracy
    assert row["config_json"] == trial.config_json
    assert row["method"] == "mkd"
    assert (row["tau_s_init"], row["teacher"]) == (4.0, "digit_mlp")
    assert row["steps"] == 3 * (row["train_samples"] // 32)
    assert row["meta_steps"] == MKDConfig().look_aheads(row["steps"] - 1)
    assert row["meta_steps_skipped"] == 0
    # 30 % of 1069 and of 189: judged by the next training batch, it learns from none of the latter.
    assert (row["train_samples"], row["validation_samples"]) == (321, 57)
    assert row["validation_samples_learned"] == 0
    steps = read_steps(folder.out, [trial.id]).to_pylist()
    assert [step["epoch"] for step in steps] == [0, 1, 2]
    assert steps[-1]["tau_s"] == pytest.approx(row["tau_s_last"])
    assert all(step["meta_loss"] is not None for step in steps)


def test_workers_share_a_batch_without_overlap(prepared: Any) -> None:
    folder, trial = prepared
    samples = open_samples(trial.data, folder)
    ids = samples.splits.train[:100]
    views = samples.views("standard", 1, ids, passes=2)

    def stream(rank: int, workers: int) -> list[torch.Tensor]:
        batches = ShuffledBatches(views, 32, 2, samples.normalise, share=Share(rank, workers))
        return [batch.inputs for batch in batches.epoch(1)]

    alone = stream(0, 1)
    for whole, first, second in zip(alone, stream(0, 2), stream(1, 2), strict=True):
        assert torch.equal(whole[0::2], first)
        assert torch.equal(whole[1::2], second)
    with pytest.raises(ShareError, match=r"3 workers .* a batch of 32 .* choose 2 workers"):
        stream(0, 3)


def test_workers_share_held_out_samples_without_overlap(prepared: Any) -> None:
    folder, trial = prepared
    samples = open_samples(trial.data, folder)
    views = samples.views("none", 0, samples.splits.validation, passes=1)
    shares = [HeldOut(views, samples.normalise, share=Share(rank, 3)) for rank in range(3)]
    seen = torch.cat([labels for share in shares for _, labels in share])
    labels = torch.cat([labels for _, labels in samples.validation])
    assert len(seen) == len(labels) == len(samples.validation)
    assert torch.equal(seen.sort().values, labels.sort().values)
    whole = HeldOutMetaBatches(samples.validation, batch_size=8, seed=0).at(3).inputs
    shares = [HeldOut(views, samples.normalise, share=Share(rank, 2)) for rank in range(2)]
    halves = [HeldOutMetaBatches(share, batch_size=8, seed=0).at(3).inputs for share in shares]
    assert torch.equal(whole[0::2], halves[0])
    assert torch.equal(whole[1::2], halves[1])


def test_meta_batches_are_a_function_of_the_step_and_cover_the_split(prepared: Any) -> None:
    folder, trial = prepared
    samples = open_samples(trial.data, folder)
    ten = samples.validation.first(10)
    batches = HeldOutMetaBatches(ten, batch_size=3, seed=0)
    forward = [batches.at(step).inputs for step in range(7)]
    backward = [batches.at(step).inputs for step in reversed(range(7))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forward, backward, strict=True))
    assert len(torch.cat(forward[:3]).flatten(1).unique(dim=0)) == 9
    tiny = HeldOutMetaBatches(samples.validation.first(2), batch_size=64, seed=0)
    assert len(tiny.at(5).labels) == 2


def test_a_schedule_goes_on_from_the_training_that_it_branches_off(
    prepared: Any, tmp_path: Path
) -> None:
    folder, trial = prepared
    here = StudyFolder(tmp_path / "out")
    for name in ("datasets", "teachers"):
        shutil.copytree(folder.out / name, here.out / name)
    trial = replace(trial, recipe=replace(trial.recipe, epochs=4))
    winner = replace(trial, distiller=scheduled([(0, 2.0)], 0.9), stop_after=2)
    copy = replace(trial, distiller=scheduled([(0, 2.0), (2, 8.0)], 0.9))
    commit([(winner, result_of(winner, run_trial(winner, here, None), "abc"))], here)
    ran: list[int] = []
    branched = run_trial(copy, here, None, lambda epoch: ran.append(epoch.record.epoch))
    # Its first half is the winner's: to have those weights is to have that schedule.
    assert ran == [2, 3]
    assert [epoch.record.temperatures for epoch in branched.epochs] == [(2.0, 2.0)] * 2 + [
        (8.0, 8.0)
    ] * 2
    assert numbers(branched) == numbers(run_trial(copy, folder, None))
    # The winner goes on from the same state, and nobody's end removes it.
    goes_on = replace(winner, stop_after=None)
    ran.clear()
    outcome = run_trial(goes_on, here, None, lambda epoch: ran.append(epoch.record.epoch))
    commit([(goes_on, result_of(goes_on, outcome, "a"))], here)
    assert ran == [2, 3]
    assert InFlight(here, winner.whole.id).latest(2) is not None


def test_a_stopped_trial_reads_no_test_set_and_passes_over_later_states(
    prepared: Any, tmp_path: Path
) -> None:
    folder, trial = prepared
    trial = replace(trial, seed=77)
    # Somebody's whole run was interrupted after its second epoch.
    InFlight(folder, trial.id).branch(2, {"training": {}, "progress": {}})
    stopped = replace(trial, stop_after=1)
    outcome = run_trial(stopped, folder, None)
    InFlight(folder, trial.id).forget()
    assert len(outcome.epochs) == 1
    assert (outcome.test_last, outcome.test_selected) == (None, None)

"""A trial's run: fair, repeatable, and the same from the bank as live."""

import dataclasses
from typing import Any

import pytest
import torch

from metakd.core.distillers import CrossEntropyConfig, DistillerConfig, KDConfig, MKDConfig
from metakd.core.evaluation import Evaluation
from metakd.data.bank import build_logits, build_views
from metakd.data.counter_random import derive_seed
from metakd.data.splits import nested_subset
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.train import student as student_module
from metakd.train.commit import commit
from metakd.train.inputs import HeldOutMetaBatches, LiveBatches, dataset_tensors
from metakd.train.samples import open_samples
from metakd.train.student import Outcome, run_trial
from metakd.train.teacher import open_teacher
from metakd.train.trial import Trial


def build_bank(folder: Any, trial: Trial, scale: float) -> str:
    samples = open_samples(trial.data, folder)
    ids = nested_subset(samples.splits.train, samples.dataset.labels, scale, trial.seed)
    place = build_views(
        folder.banks,
        samples.dataset,
        trial.augmentation,
        derive_seed(trial.seed, "augmentation"),
        ids,
        trial.recipe.epochs,
    )
    assert trial.teacher is not None
    ask = open_teacher(trial.teacher, folder)
    build_logits(
        folder.banks, place.name, trial.teacher.id, lambda images: ask(samples.normalise(images))
    )
    return place.name


def numbers(outcome: Outcome) -> list[Any]:
    """All that a run computes, without what depends on time."""
    records = [dataclasses.replace(epoch.record, compute_s=0.0) for epoch in outcome.epochs]
    return [
        records,
        [e.validation for e in outcome.epochs],
        outcome.test_last,
        outcome.test_selected,
    ]


def test_the_bank_and_the_live_teacher_give_the_same_run_bitwise(prepared: Any) -> None:
    folder, trial = prepared
    live = run_trial(trial, folder, bank=None)
    for scale in (trial.scale, 1.0):  # a bank of a larger scale serves the smaller one
        banked = run_trial(trial, folder, bank=build_bank(folder, trial, scale))
        assert numbers(banked) == numbers(live)


@pytest.mark.parametrize("distiller", [KDConfig(), MKDConfig(), CrossEntropyConfig()])
def test_the_same_trial_gives_the_same_run_bitwise(
    prepared: Any, distiller: DistillerConfig
) -> None:
    folder, trial = prepared
    teacher = trial.teacher if distiller.asks_teacher else None
    trial = dataclasses.replace(trial, distiller=distiller, teacher=teacher)
    assert numbers(run_trial(trial, folder, None)) == numbers(run_trial(trial, folder, None))


def test_another_seed_is_another_run(prepared: Any) -> None:
    folder, trial = prepared
    other = dataclasses.replace(trial, seed=5)
    assert numbers(run_trial(trial, folder, None)) != numbers(run_trial(other, folder, None))


def test_every_method_starts_from_the_same_weights_and_sees_the_same_batches(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = prepared
    seen: list[Any] = []

    def spy(student, distiller, recipe, batches, meta_batches, on_epoch):
        weights = [p.detach().clone() for p in student.parameters()]
        stream = [(b.inputs, b.labels) for epoch in range(2) for b in batches.epoch(epoch)]
        seen.append((weights, stream))
        raise InterruptedError

    monkeypatch.setattr(student_module, "train", spy)
    for distiller in (CrossEntropyConfig(), KDConfig(tau_s=1.0), MKDConfig()):
        teacher = trial.teacher if distiller.asks_teacher else None
        with pytest.raises(InterruptedError):
            run_trial(
                dataclasses.replace(trial, distiller=distiller, teacher=teacher), folder, None
            )
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

    def spy(model, inputs, labels, batch_size) -> Evaluation:
        order.append("test" if inputs is samples.test[0] else "validation")
        return Evaluation(0.5, 1.0)

    monkeypatch.setattr(student_module, "evaluate", spy)
    run_trial(trial, folder, None)
    assert order == ["validation"] * trial.recipe.epochs + ["test", "test"]


def test_the_selected_epoch_is_the_first_best_on_validation(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, trial = prepared
    trial = dataclasses.replace(trial, recipe=dataclasses.replace(trial.recipe, epochs=5))
    told = iter([0.2, 0.8, 0.5, 0.8, 0.3])
    states: list[torch.Tensor] = []

    def spy(model, inputs, labels, batch_size) -> Evaluation:
        states.append(next(iter(model.parameters())).detach().clone())
        return Evaluation(next(told, 0.0), 1.0)

    monkeypatch.setattr(student_module, "evaluate", spy)
    outcome = run_trial(trial, folder, None)
    assert outcome.selected_epoch == 1
    at_last, at_selected = states[-2:]
    assert torch.equal(at_last, states[4])
    assert torch.equal(at_selected, states[1])


def test_a_committed_trial_is_in_the_store_as_it_ran(prepared: Any) -> None:
    folder, trial = prepared
    trial = dataclasses.replace(trial, distiller=MKDConfig())
    outcome = run_trial(trial, folder, None)
    commit(trial, outcome, folder, git_commit="abc")
    assert trial.id in finished_trials(folder.out)
    (row,) = read_trials(folder.out, [trial.id]).to_pylist()
    assert row["test_acc_last"] == outcome.test_last.accuracy
    assert row["config_json"] == trial.config_json
    assert row["method"] == "mkd"
    assert (row["tau_s_init"], row["teacher"]) == (4.0, "digit_mlp")
    assert row["steps"] == 3 * (row["train_samples"] // 32)
    assert row["meta_steps"] == row["steps"] // MKDConfig().interval
    assert row["meta_steps_skipped"] == 0
    steps = read_steps(folder.out, [trial.id]).to_pylist()
    assert [step["epoch"] for step in steps] == [0, 1, 2]
    assert steps[-1]["tau_s"] == pytest.approx(row["tau_s_last"])
    assert all(step["meta_loss"] is not None for step in steps)


def test_workers_share_a_batch_without_overlap(prepared: Any) -> None:
    folder, trial = prepared
    samples = open_samples(trial.data, folder)
    ids = samples.splits.train[:100]
    images, labels = dataset_tensors(samples.dataset, ids)

    def stream(rank: int, world_size: int) -> list[torch.Tensor]:
        batches = LiveBatches(
            images, torch.from_numpy(ids), labels, "standard", 1, None, 32, 2,
            samples.normalise, rank, world_size,
        )  # fmt: skip
        return [batch.inputs for batch in batches.epoch(1)]

    alone = stream(0, 1)
    for whole, first, second in zip(alone, stream(0, 2), stream(1, 2), strict=True):
        assert torch.equal(whole[0::2], first)
        assert torch.equal(whole[1::2], second)


def test_meta_batches_are_a_function_of_the_step_and_cover_the_split() -> None:
    inputs, labels = torch.arange(10.0)[:, None], torch.arange(10)
    batches = HeldOutMetaBatches(inputs, labels, batch_size=3, seed=0)
    forward = [batches.at(step).labels for step in range(7)]
    backward = [batches.at(step).labels for step in reversed(range(7))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forward, backward, strict=True))
    assert len(set(torch.cat(forward[:3]).tolist())) == 9
    tiny = HeldOutMetaBatches(inputs[:2], labels[:2], batch_size=64, seed=0)
    assert sorted(tiny.at(5).labels.tolist()) == [0, 1]

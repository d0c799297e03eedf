import math
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metakd.core.meta_temperature.cost import PASS_EQUIVALENTS
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.data.splits import SplitError
from metakd.study.banks import MODES, BankPolicy, Mode, RoomError, check_room
from metakd.study.cost import expected_steps
from metakd.study.plan import make_plan
from metakd.study.spec import StudySpec

SPEC = StudySpec(
    name="s",
    scales=(0.3, 1.0),
    augmentations=("none", "strong"),
    temperatures=(1.0, 4.0),
    seeds=2,
    epochs=2,
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return open_dataset("digits", Path(tmp_path_factory.mktemp("data")))


def test_strategies_share_the_trials_that_they_have_in_common(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits])
    runs = Counter(job.trial.distiller.method for job in plan.jobs)
    cells = 2 * 2 * 2
    # Fixed τ = 4 is one of the grid's two runs.
    assert runs == {"ce": cells, "kd": 2 * cells, "mkd": cells}
    assert len(set(plan.trial_ids)) == len(plan.jobs)


def test_adding_to_a_study_keeps_its_trials(digits: ImageDataset) -> None:
    before = set(make_plan(SPEC, [digits]).trial_ids)
    for more in (
        {"seeds": 3},
        {"temperatures": (1.0, 4.0, 16.0)},
        {"scales": (0.1, 0.3, 1.0)},
        {"strategies": ("ce", "grid", "meta")},
    ):
        after = make_plan(replace(SPEC, **more), [digits])
        assert before <= set(after.trial_ids), more


def test_finished_early_means_complete_pairs(digits: ImageDataset) -> None:
    seeds = [job.trial.seed for job in make_plan(SPEC, [digits]).jobs]
    assert seeds == sorted(seeds)


def test_only_who_asks_a_teacher_has_one(digits: ImageDataset) -> None:
    for job in make_plan(SPEC, [digits]).jobs:
        assert (job.trial.teacher is None) == (job.trial.distiller.method == "ce")
    alone = make_plan(replace(SPEC, strategies=("ce",)), [digits])
    assert alone.teachers == ()
    assert {setting.teacher for setting in alone.settings} == {None}


def test_one_bank_serves_all_scales_and_methods_of_an_augmentation_and_seed(
    digits: ImageDataset,
) -> None:
    plan = make_plan(SPEC, [digits])
    assert len(plan.banks) == 2 * 2
    for bank in plan.banks:
        assert len(bank.sample_ids) == 943
        served = [job.trial for job in plan.jobs if job.bank is not None and job.bank.id == bank.id]
        assert len({(trial.sampling.augmentation, trial.seed) for trial in served}) == 1
        assert {trial.sampling.scale for trial in served} == {0.3, 1.0}
    assert {bank.mode for bank in plan.banks} == {"full"}


def test_mixed_views_have_a_bank_for_each_scale(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, augmentations=("cutmix",)), [digits])
    assert sorted(len(bank.sample_ids) for bank in plan.banks) == [283, 283, 943, 943]
    for job in plan.jobs:
        (bank,) = [bank for bank in plan.banks if job.bank and bank.id == job.bank.id]
        assert len(bank.sample_ids) == round(job.trial.sampling.scale * 943)


def test_as_many_steps_need_more_views_of_fewer_samples(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, augmentations=("strong",), seeds=1, match="steps"), [digits])
    small, large = sorted(plan.banks, key=lambda bank: len(bank.sample_ids))
    assert (len(large.sample_ids), large.passes) == (943, 2)
    # 2 × (943 // 32) steps are more than 7 passes of 283 // 32 steps.
    assert (len(small.sample_ids), small.passes) == (283, math.ceil(2 * 29 / 8))
    steps = {expected_steps(job) for job in plan.jobs
             if job.trial.distiller.method == "kd"}  # fmt: skip
    assert steps == {2.0 * 29}


def test_scales_can_be_images_per_class(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, images_per_class=(3, 20)), [digits])
    shown = {(job.trial.sampling.images_per_class, job.trial.sampling.scale) for job in plan.jobs}
    assert shown == {(3, 30 / 943), (20, 200 / 943)}
    assert {len(bank.sample_ids) for bank in plan.banks} == {200}
    for bank in plan.banks:
        classes = digits.labels[bank.sample_ids]
        assert np.bincount(classes).tolist() == [20] * 10
        assert np.bincount(classes[:30]).tolist() == [3] * 10
    with pytest.raises(SplitError, match=r"images_per_class=500 is more than the 9\d training"):
        make_plan(replace(SPEC, images_per_class=(500,)), [digits])


def test_what_is_kept_is_chosen_by_size_and_changes_no_trial(digits: ImageDataset) -> None:
    whole = make_plan(SPEC, [digits])
    answers = sum(bank.answers_bytes for bank in whole.banks)
    plain = sum(bank.views_bytes for bank in whole.banks if bank.augmentation == "none")
    expected = {
        answers - 1: {"none": "live", "strong": "live"},
        answers: {"none": "logits", "strong": "logits"},
        answers + plain: {"none": "full", "strong": "logits"},
        answers + 3 * plain: {"none": "full", "strong": "full"},
    }
    for limit, modes in expected.items():
        plan = make_plan(SPEC, [digits], BankPolicy(limit_bytes=limit))
        assert {bank.augmentation: bank.mode for bank in plan.banks} == modes
        assert plan.trial_ids == whole.trial_ids
        assert sum(bank.kept_bytes for bank in plan.banks) <= limit
        for job in plan.jobs:
            mode = modes[job.trial.sampling.augmentation]
            assert (job.bank is None) == (mode == "live")
            assert job.bank is None or job.bank.has_views == (mode == "full")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_kept_can_be_asked_for(digits: ImageDataset, mode: Mode) -> None:
    plan = make_plan(SPEC, [digits], BankPolicy(mode, limit_bytes=0))
    assert {bank.mode for bank in plan.banks} == {mode}


def test_banks_that_the_disk_does_not_hold_are_refused(
    digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(SPEC, [digits])
    needed = sum(bank.kept_bytes for bank in plan.banks)
    usage = shutil.disk_usage(tmp_path)._replace(free=needed)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(RoomError, match="choose --bank logits or live"):
        check_room(plan.banks, tmp_path / "banks")
    # What lies there already needs no more room.
    bank = plan.banks[0]
    file = tmp_path / "banks" / bank.id / "views" / "0000-00.npy"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(bank.kept_bytes))
    check_room(plan.banks, tmp_path / "banks")


def test_learning_is_expected_to_cost_its_meta_steps(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits])
    cost = {job.trial.distiller.method: expected_steps(job) for job in plan.jobs}
    assert cost["ce"] == cost["kd"] == 2 * (943 // 32)
    # Every 8th step a forward, a backward and a forward-mode pass of a quarter of the batch.
    look_aheads = math.ceil(cost["kd"] / 8)
    each = (1 + PASS_EQUIVALENTS["jvp"]) / 4
    assert cost["mkd"] == pytest.approx(cost["kd"] + look_aheads * each)

import math
import shutil
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metakd.core.distillers import KDConfig
from metakd.core.lookahead.look_aheads import PASS_EQUIVALENTS
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.data.splits import SplitError
from metakd.models.names import student_ladder, teacher_ladder
from metakd.results.seeds import seed_number
from metakd.strategies import STRATEGIES, Choices, Search, Segment, Strategy
from metakd.study.banks import RoomError, check_room
from metakd.study.cost import expected_steps
from metakd.study.options import MODES, BankPolicy, Mode
from metakd.study.plan import make_plan
from metakd.study.searching import Searching
from metakd.study.spec import SpecError, StudySpec
from metakd.testing.strategy import check_strategy

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
    assert runs == {"ce": cells, "kd": 2 * cells, "mkd": cells, "align": cells}
    assert len(set(plan.trial_ids)) == len(plan.jobs)


def test_parts_of_runs_are_not_planned_as_trials(digits: ImageDataset) -> None:
    """A part may be found in a whole run, so that no trial of its own is ever there."""
    spec = replace(SPEC, strategies=("grid", "grid+asha", "pbt"), epochs=18)
    plan = make_plan(spec, [digits])
    whole = make_plan(replace(spec, strategies=("grid",)), [digits])
    assert set(plan.trial_ids) == set(whole.trial_ids)
    assert len(plan.jobs) > len(plan.trial_ids)


def test_adding_to_a_study_keeps_its_trials(digits: ImageDataset) -> None:
    before = set(make_plan(SPEC, [digits]).trial_ids)
    for more in (
        {"seeds": 3},
        {"temperatures": (1.0, 4.0, 16.0)},
        {"scales": (0.1, 0.3, 1.0)},
        {"strategies": ("ce", "grid", "meta", "align")},
    ):
        after = make_plan(replace(SPEC, **more), [digits])
        assert before <= set(after.trial_ids), more


def test_finished_early_means_complete_pairs(digits: ImageDataset) -> None:
    seeds = [seed_number(job.trial.seed) for job in make_plan(SPEC, [digits]).jobs]
    assert seeds == sorted(seeds)


def test_only_who_asks_a_teacher_has_one(digits: ImageDataset) -> None:
    for job in make_plan(SPEC, [digits]).jobs:
        assert (job.trial.teacher is None) == (job.trial.distiller.method == "ce")
    alone = make_plan(replace(SPEC, strategies=("ce",)), [digits])
    assert alone.teachers == ()
    assert {setting.teachers for setting in alone.settings} == {()}


def test_a_bank_serves_all_methods_of_a_setting_and_seed(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits])
    assert sorted(bank.samples for bank in plan.banks) == [321] * 4 + [1069] * 4
    for bank in plan.banks:
        served = [job.trial for job in plan.jobs if job.bank is not None and job.bank.id == bank.id]
        assert len({(trial.sampling, trial.seed) for trial in served}) == 1
        assert {trial.distiller.method for trial in served} == {"ce", "kd", "mkd", "align"}


def test_one_bank_serves_all_scales_and_methods_where_scales_share_their_seeds(
    digits: ImageDataset,
) -> None:
    plan = make_plan(replace(SPEC, seed_streams="shared"), [digits])
    assert len(plan.banks) == 2 * 2
    for bank in plan.banks:
        assert bank.samples == 1069
        served = [job.trial for job in plan.jobs if job.bank is not None and job.bank.id == bank.id]
        assert len({(trial.sampling.augmentation, trial.seed) for trial in served}) == 1
        assert {trial.sampling.scale for trial in served} == {0.3, 1.0}
    assert {bank.mode for bank in plan.banks} == {"full"}


def test_mixed_views_have_a_bank_for_each_scale(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, augmentations=("cutmix",)), [digits])
    assert sorted(bank.samples for bank in plan.banks) == [321, 321, 1069, 1069]
    for job in plan.jobs:
        (bank,) = [bank for bank in plan.banks if job.bank and bank.id == job.bank.id]
        assert bank.samples == round(job.trial.sampling.scale * 1069)


def test_as_many_steps_need_more_views_of_fewer_samples(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, augmentations=("strong",), seeds=1, match="steps"), [digits])
    small, large = sorted(plan.banks, key=lambda bank: bank.samples)
    assert (large.samples, large.passes) == (1069, 2)
    # 2 × (1069 // 32) steps are more than 6 passes of 321 // 32 steps.
    assert (small.samples, small.passes) == (321, math.ceil(2 * 33 / 10))
    steps = {expected_steps(job) for job in plan.jobs
             if job.trial.distiller.method == "kd"}  # fmt: skip
    assert steps == {2.0 * 33}


def test_scales_can_be_images_per_class(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, images_per_class=(3, 20), seed_streams="shared"), [digits])
    shown = {(job.trial.sampling.images_per_class, job.trial.sampling.scale) for job in plan.jobs}
    assert shown == {(3, 30 / 1069), (20, 200 / 1069)}
    assert {bank.samples for bank in plan.banks} == {200}
    for bank in plan.banks:
        (opened,) = plan.opened
        sampling, seed = bank.content.sampling, bank.content.seed
        classes = digits.labels[sampling.sample_ids(opened.splits.train, digits.labels, seed)]
        assert np.bincount(classes).tolist() == [20] * 10
        assert np.bincount(classes[:30]).tolist() == [3] * 10
    with pytest.raises(SplitError, match=r"images_per_class=500 is more than the 10\d training"):
        make_plan(replace(SPEC, images_per_class=(500,)), [digits])


def test_what_is_kept_is_chosen_by_size_and_changes_no_trial(digits: ImageDataset) -> None:
    whole = make_plan(SPEC, [digits])
    logits = sum(bank.logits_bytes for bank in whole.banks)
    plain = sum(bank.views_bytes for bank in whole.banks if bank.augmentation == "none")
    expected = {
        logits - 1: {"none": "live", "strong": "live"},
        logits: {"none": "logits", "strong": "logits"},
        logits + plain: {"none": "full", "strong": "logits"},
        logits + 3 * plain: {"none": "full", "strong": "full"},
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
    plan = make_plan(replace(SPEC, seed_streams="shared"), [digits])
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
    assert cost["ce"] == cost["kd"] == 2 * (1069 // 32)
    # Every 8th step a forward, a backward and a forward-mode pass of a quarter of the batch.
    look_aheads = math.ceil(cost["kd"] / 8)
    each = (1 + PASS_EQUIVALENTS["jvp"]) / 4
    assert cost["mkd"] == pytest.approx(cost["kd"] + look_aheads * each)


def test_settings_are_all_combinations_and_runs_without_a_teacher_stand_beside_all(
    digits: ImageDataset,
) -> None:
    spec = replace(
        SPEC,
        strategies=("ce", "fixed", "random"),
        scales=(0.3,),
        teachers=("digit_cnn", "digit_mlp"),
        students=("digit_mlp", "digit_cnn_tiny"),
    )
    plan = make_plan(spec, [digits])
    models = [(s.sampling.augmentation, s.teachers_name, s.student) for s in plan.settings]
    assert models == list(product(("none", "strong"), spec.teachers, spec.students))
    runs = Counter(job.trial.distiller.method for job in plan.jobs)
    # 2 augmentations × 2 students × 2 seeds, and as often again for each teacher.
    assert runs == {"ce": 8, "kd": 16 + 16 * 2}
    assert len(plan.strategy_runs) == 8 + 16 + 16
    assert [teacher.model for teacher in plan.teachers] == list(spec.teachers)
    one = make_plan(replace(spec, teachers=spec.teachers[:1]), [digits])
    assert set(one.trial_ids) < set(plan.trial_ids)
    assert all(len(bank.teachers) == 2 for bank in plan.banks)
    assert plan.banks[0].logits_bytes == 2 * one.banks[0].logits_bytes


def test_each_dataset_has_its_own_split_models_and_teachers(digits: ImageDataset) -> None:
    pictures = replace(digits, name="pictures", fingerprint="another")
    plan = make_plan(replace(SPEC, seeds=1), [digits, pictures])
    assert [s.data.dataset for s in plan.settings] == ["digits"] * 4 + ["pictures"] * 4
    assert {teacher.data.dataset for teacher in plan.teachers} == {"digits", "pictures"}
    for job in plan.jobs:
        assert job.trial.teacher is None or job.trial.teacher.data == job.trial.data
    with pytest.raises(SpecError, match="different names, got digits, digits"):
        make_plan(SPEC, [digits, digits])


def test_rising_models_follow_the_size_of_the_images(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, teachers=("rising",), students=("rising",)), [digits])
    assert plan.spec.teachers == teacher_ladder(digits.image_shape)
    assert plan.spec.students == student_ladder(digits.image_shape)


def test_each_teacher_is_trained_by_each_augmentation_that_is_named(digits: ImageDataset) -> None:
    usual = make_plan(replace(SPEC, teachers=("digit_mlp",)), [digits])
    spec = replace(
        SPEC, teachers=("digit_mlp",), teacher_augmentations=("standard", "mixup+cutmix")
    )
    plan = make_plan(spec, [digits])
    names = {teacher.model: teacher.augmentation for teacher in plan.teachers}
    assert names == {
        "digit_mlp": "standard", "digit_mlp,augmentation=mixup_cutmix": "mixup+cutmix"
    }  # fmt: skip
    # What is there already stays: the usual teacher is the one of before.
    assert set(usual.trial_ids) < set(plan.trial_ids)
    # What a study records of itself is the same study again.
    assert make_plan(plan.spec, [digits]).trial_ids == plan.trial_ids


def test_a_teachers_own_name_can_say_how_it_is_trained(digits: ImageDataset) -> None:
    spec = replace(SPEC, teachers=("digit_mlp", "digit_mlp,augmentation=cutmix"))
    assert [t.augmentation for t in make_plan(spec, [digits]).teachers] == ["standard", "cutmix"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"teacher_augmentations": ("mixin",)}, "unknown augmentation 'mixin'"),
        ({"teachers": ("digit_mlp,augmentation=mixin",)}, "unknown augmentation 'mixin'"),
        ({"students": ("digit_mlp,augmentation=mixup",)}, "augmentation= is for teachers"),
        (
            {"teachers": ("timm:resnet18,pretrained=True",), "teacher_augmentations": ("mixup",)},
            "is not trained here: leave out --teacher-augmentations",
        ),
    ],
)
def test_a_teachers_augmentation_that_makes_no_sense_is_refused(
    change: dict[str, Any], line: str
) -> None:
    with pytest.raises(SpecError, match=line):
        replace(SPEC, **change)


def test_without_labels_the_teacher_has_all_of_the_weight(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, strategies=("fixed-no-labels",)), [digits])
    configs = {job.trial.distiller for job in plan.jobs}
    assert configs == {KDConfig(4.0, 4.0, alpha=1.0)}


def test_of_all_strategies_those_that_do_not_fit_are_left_out_with_the_reason(
    digits: ImageDataset,
) -> None:
    plan = make_plan(replace(SPEC, strategies=("all",)), [digits])
    assert plan.left_out == {"grid2d": "it needs a budget of 4 runs, and has 2"}
    of_several = {name for name, strategy in STRATEGIES.items() if strategy.takes_several}
    assert set(plan.spec.strategies) == set(STRATEGIES) - {"grid2d"} - of_several
    none = make_plan(replace(SPEC, strategies=("all",), teachers=("none",)), [digits])
    assert none.spec.strategies == ("ce",)
    assert none.left_out["meta"] == "it needs a teacher, and there is none (--teachers none)"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"teachers": ("none",)}, "'fixed' does not fit this study: it needs a teacher"),
        ({"budget": 1.0}, "'grid' does not fit this study: its 2 runs exceed the budget of 1"),
        ({"budget": 0.5, "strategies": ("optuna",)}, "needs a budget of 1 runs, and has 0.5"),
        ({"budget": 1.5, "strategies": ("pbt",)}, "needs a budget of 2 runs, and has 1.5"),
        ({"temperatures": (4.0,), "strategies": ("random",)}, "searches between the lowest and"),
    ],
)
def test_a_named_strategy_that_does_not_fit_is_refused_before_work_starts(
    digits: ImageDataset, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SpecError, match=reason):
        make_plan(replace(SPEC, **{"strategies": ("fixed", "grid"), **change}), [digits])


@pytest.mark.parametrize("name", ["dkd", "kd-std", "kd-std-detached", "logit_std", "normkd", "rld"])
def test_a_strategy_for_more_classes_is_refused_by_name(digits: ImageDataset, name: str) -> None:
    binary = replace(digits, labels=digits.labels % 2, class_names=("even", "odd"))
    with pytest.raises(SpecError, match=f"'{name}' does not fit this study: it needs 3 classes"):
        make_plan(replace(SPEC, strategies=(name,)), [binary])


def test_a_strategy_that_needs_one_true_class_is_refused_under_mixing(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard = replace(STRATEGIES["fixed"], mixed_labels="none")
    monkeypatch.setitem(STRATEGIES, "hard", hard)
    spec = replace(SPEC, strategies=("ce", "hard"), augmentations=("standard", "mixup"))
    with pytest.raises(SpecError, match="'hard' does not fit this study: it needs one true class"):
        make_plan(spec, [digits])
    assert make_plan(replace(spec, augmentations=("standard", "strong")), [digits]).left_out == {}


def test_a_new_strategy_is_one_file_and_one_line(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice_as_hot(choices: Choices) -> Search:
        tau = choices.fixed_tau
        (first, second) = yield [
            Segment(KDConfig(tau, tau)),
            Segment(KDConfig(2 * tau, 2 * tau), 1),
        ]
        if second > first:
            yield [Segment(KDConfig(2 * tau, 2 * tau))]

    new = Strategy("twice as hot, if better", twice_as_hot, is_searcher=True, min_runs=2)
    monkeypatch.setitem(STRATEGIES, "hotter", new)
    check_strategy(new)
    plan = make_plan(replace(SPEC, strategies=("fixed", "hotter"), seeds=1), [digits])
    found = [case for name, case in plan.strategy_runs if name == "hotter"]
    case, name = found[0], "hotter"
    assert len(found) == 4
    wanted = Searching(name, new, case, case.choices(name, plan.spec)).wants(lambda trial: None)
    assert [job.trial.stop_after for job in wanted] == [None, 1]
    # Its first run is the default's.
    assert wanted[0].trial.id in plan.trial_ids

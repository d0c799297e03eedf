import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from metakd.core.meta_temperature.cost import PASS_EQUIVALENTS
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.study import plan as plan_module
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
    plan = make_plan(SPEC, digits)
    runs = Counter(job.trial.distiller.method for job in plan.jobs)
    cells = 2 * 2 * 2
    # Fixed τ = 4 is one of the grid's two runs.
    assert runs == {"ce": cells, "kd": 2 * cells, "mkd": cells}
    assert len(set(plan.trial_ids)) == len(plan.jobs)


def test_adding_to_a_study_keeps_its_trials(digits: ImageDataset) -> None:
    before = set(make_plan(SPEC, digits).trial_ids)
    for more in (
        {"seeds": 3},
        {"temperatures": (1.0, 4.0, 16.0)},
        {"scales": (0.1, 0.3, 1.0)},
        {"strategies": ("ce", "grid", "meta")},
    ):
        after = make_plan(replace(SPEC, **more), digits)
        assert before <= set(after.trial_ids), more


def test_finished_early_means_complete_pairs(digits: ImageDataset) -> None:
    seeds = [job.trial.seed for job in make_plan(SPEC, digits).jobs]
    assert seeds == sorted(seeds)


def test_only_who_asks_a_teacher_has_one(digits: ImageDataset) -> None:
    for job in make_plan(SPEC, digits).jobs:
        assert (job.trial.teacher is None) == (job.trial.distiller.method == "ce")
    alone = make_plan(replace(SPEC, strategies=("ce",)), digits)
    assert alone.teacher is None


def test_one_bank_serves_all_scales_and_methods_of_an_augmentation_and_seed(
    digits: ImageDataset,
) -> None:
    plan = make_plan(SPEC, digits)
    assert len(plan.banks) == 2 * 2
    for bank in plan.banks:
        assert len(bank.sample_ids) == plan.train_samples
        served = {(j.trial.augmentation, j.trial.seed) for j in plan.jobs if j.bank == bank.id}
        assert len(served) == 1
    assert plan.bank_bytes > 0


def test_what_does_not_fit_is_made_live(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    banked = make_plan(SPEC, digits)
    monkeypatch.setattr(plan_module, "BANK_LIMIT_BYTES", banked.bank_bytes - 1)
    live = make_plan(SPEC, digits)
    assert live.banks == ()
    assert all(job.bank is None for job in live.jobs)
    assert live.trial_ids == banked.trial_ids


def test_learning_is_expected_to_cost_its_meta_steps(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, digits)
    cost = {
        job.trial.distiller.method: expected_steps(job.trial, plan.train_samples)
        for job in plan.jobs
    }
    assert cost["ce"] == cost["kd"] == 2 * (plan.train_samples // 32)
    # Every 8th step a forward, a backward and a forward-mode pass of a quarter of the batch.
    look_aheads = math.ceil(cost["kd"] / 8)
    each = (1 + PASS_EQUIVALENTS["jvp"]) / 4
    assert cost["mkd"] == pytest.approx(cost["kd"] + look_aheads * each)

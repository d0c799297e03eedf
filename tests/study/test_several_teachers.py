"""Several teachers at once: ids, banks, strategies, costs, and what is refused."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from metakd.core.distillers import KDConfig, MMKDConfig, SeveralTeachersConfig
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.models.names import teacher_ensemble
from metakd.strategies import STRATEGIES
from metakd.study.cost import expected_steps, plain_run, steps_left
from metakd.study.curves import Curves
from metakd.study.options import BankPolicy
from metakd.study.plan import Plan, make_plan
from metakd.study.scheduler import Scheduler
from metakd.study.searching import Searching, searches_of
from metakd.study.spec import SpecError, StudySpec
from metakd.testing.strategy import check_strategy
from metakd.train.folder import StudyFolder
from metakd.train.trial import Trial

OF_SEVERAL = [name for name, strategy in STRATEGIES.items() if strategy.takes_several]
MODELS = ("digit_mlp", "digit_cnn_small", "digit_cnn_deep")
SPEC = StudySpec(
    name="s",
    question="multi_teacher",
    scales=(0.3,),
    augmentations=("none",),
    teachers=("+".join(MODELS),),
    strategies=("ce", "single", "mean_losses", "mmkd"),
    seeds=1,
    epochs=2,
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return open_dataset("digits", Path(tmp_path_factory.mktemp("data")))


def asked(plan: Plan, name: str) -> list[Trial]:
    """What a strategy asks for first."""
    (case,) = [case for strategy, case in plan.strategy_runs if strategy == name]
    search = Searching(name, STRATEGIES[name], case, case.choices(name, plan.spec))
    return [job.trial for job in search.wants(lambda trial: None)]


@pytest.mark.parametrize("name", OF_SEVERAL)
def test_a_strategy_of_several_keeps_the_rules(name: str) -> None:
    check_strategy(STRATEGIES[name], name)


def test_several_at_once_are_one_level(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, teachers=(*SPEC.teachers, "digit_mlp+digit_cnn")), [digits])
    assert [setting.teachers_name for setting in plan.settings] == [
        "digit_mlp+digit_cnn_small+digit_cnn_deep",
        "digit_mlp+digit_cnn",
    ]
    # Those in two ensembles are trained once, and one bank holds what all of them say.
    assert [teacher.model for teacher in plan.teachers] == [*MODELS, "digit_cnn"]
    (bank,) = plan.banks
    assert bank.teachers == bank.features_of == plan.teachers
    ensemble = make_plan(replace(SPEC, teachers=("ensemble",)), [digits])
    assert ensemble.spec.teachers == ("+".join(teacher_ensemble(digits.image_shape)),)


def test_a_model_that_stands_there_twice_is_trained_from_two_seeds(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, teachers=("digit_mlp+digit_mlp+digit_cnn",)), [digits])
    assert [(t.model, t.seed) for t in plan.teachers] == [
        ("digit_mlp", 0),
        ("digit_mlp", 1),
        ("digit_cnn", 0),
    ]


def test_each_teacher_alone_is_the_trial_of_a_study_of_one(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits])
    singles = asked(plan, "single")
    assert [trial.teachers for trial in singles] == [(teacher,) for teacher in plan.teachers]
    one_each = replace(SPEC, question="grid_vs_meta", teachers=MODELS, strategies=("fixed", "ce"))
    fixed = make_plan(one_each, [digits])
    assert {trial.id for trial in singles} < set(fixed.trial_ids)
    # And whoever asks no teacher is the same run beside all of them.
    alone = {job.trial.id for job in plan.jobs if len(job.trial.teachers) < 2}
    assert len(alone) == len(MODELS) + 1
    assert alone <= set(fixed.trial_ids)


def test_searches_of_one_teacher_ask_what_they_asked_before_there_were_several(
    digits: ImageDataset,
) -> None:
    spec = replace(
        SPEC,
        question="grid_vs_meta",
        teachers=("digit_cnn",),
        strategies=("random",),
        budget=3.0,
        seed_streams="shared",
    )
    plan = make_plan(spec, [digits])
    (case,) = [case for _, case in plan.strategy_runs]
    assert case.choices("random", spec).seed == int(CHOICES_SEED, 16)


# A store's searches go on only as long as this stays what it is.
CHOICES_SEED = "36c39f9b6a57d1d7"


def test_methods_of_several_ask_all_of_them(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, strategies=("all",)), [digits])
    assert plan.left_out == {}
    assert set(plan.spec.strategies) == {"ce", *OF_SEVERAL}
    for name in set(OF_SEVERAL) - {"single"}:
        (trial,) = asked(plan, name)
        assert isinstance(trial.distiller, SeveralTeachersConfig)
        assert trial.teachers == plan.teachers
        assert (trial.distiller.tau_s, trial.distiller.tau_t) == (4.0, 4.0)
    (published,) = asked(plan, "mmkd-reference")
    assert published.distiller == MMKDConfig.reference()


def test_a_bank_keeps_features_where_they_are_asked_for_and_fit(digits: ImageDataset) -> None:
    whole = make_plan(SPEC, [digits]).banks[0]
    numbers = 64 * 1 * 1 + 36 * 4 * 4 + 96 * 4 * 4
    assert whole.features_bytes == 2 * numbers * whole.passes * whole.samples
    assert whole.for_trials is not None
    assert whole.for_trials.has_features
    assert whole.kept_bytes == whole.views_bytes + whole.logits_bytes + whole.features_bytes
    logits = make_plan(replace(SPEC, strategies=("single", "camkd")), [digits]).banks[0]
    assert logits.features_of == ()
    assert logits.features_bytes == 0
    # Features come before views, logits before both.
    for room, has_features, mode in (
        (whole.logits_bytes + whole.features_bytes, True, "logits"),
        (whole.logits_bytes + whole.views_bytes, False, "full"),
        (whole.logits_bytes, False, "logits"),
        (whole.logits_bytes - 1, False, "live"),
    ):
        (bank,) = make_plan(SPEC, [digits], BankPolicy(limit_bytes=room)).banks
        assert (bank.keeps_features, bank.mode) == (has_features, mode)


def test_costs_count_each_teacher_alone_and_every_look_ahead(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits])
    cases = dict(plan.strategy_runs)
    search = Searching("single", STRATEGIES["single"], cases["single"],
                       cases["single"].choices("single", plan.spec))  # fmt: skip
    assert (len(search.waits_for), search.runs_to_come) == (3, 0)
    plain = plain_run(cases["mmkd"])
    assert isinstance(plain.trial.distiller, KDConfig)
    (trial,) = asked(plan, "mmkd")
    steps = expected_steps(replace(plain, trial=trial))
    assert isinstance(trial.distiller, MMKDConfig)
    batch = trial.recipe.batch_size
    assert steps == expected_steps(plain) + trial.distiller.look_ahead_equivalents(
        int(expected_steps(plain)), batch
    )


def board_of(plan: Plan) -> Scheduler:
    searches = searches_of(plan)
    return Scheduler(Curves(StudyFolder(Path("nowhere")), ()), searches)


def test_what_is_left_is_every_run_that_is_known_with_its_look_aheads(
    digits: ImageDataset,
) -> None:
    plan = make_plan(SPEC, [digits])
    scheduler = board_of(plan)
    plain = expected_steps(plan.jobs[0])
    # No teacher, three alone, the mean; and learned weights.
    mmkd = next(job for job in scheduler.known() if isinstance(job.trial.distiller, MMKDConfig))
    assert expected_steps(mmkd) > plain
    assert steps_left(scheduler) == pytest.approx(5 * plain + expected_steps(mmkd))
    # Two ensembles that share a teacher share its run.
    both = make_plan(replace(SPEC, teachers=("digit_mlp+digit_cnn", "digit_mlp+digit_cnn_deep"),
                             strategies=("single",)), [digits])  # fmt: skip
    assert steps_left(board_of(both)) == 3 * plain


def test_live_teachers_are_those_whose_outputs_no_bank_has(digits: ImageDataset) -> None:
    logits = make_plan(SPEC, [digits]).banks[0].logits_bytes
    live = {}
    for limit, kept in ((2**30, "all"), (logits, "logits"), (0, "nothing")):
        plan = make_plan(SPEC, [digits], BankPolicy(limit_bytes=limit))
        jobs = board_of(plan).known()
        live[kept] = Counter({job.trial.distiller.method: len(job.live_teachers) for job in jobs})
    assert live["all"].total() == 0
    assert +live["logits"] == {"mmkd": 3}
    assert live["nothing"] == {"ce": 0, "kd": 1, "mean_losses": 3, "mmkd": 3}


def test_the_table_of_searches_names_the_setting_not_the_single_teacher(
    digits: ImageDataset,
) -> None:
    plan = make_plan(SPEC, [digits])
    rows = Counter((row["strategy"], row["teacher"]) for row in board_of(plan).rows())
    [several] = SPEC.teachers
    assert rows == {
        ("ce", None): 1, ("single", several): 3, ("mean_losses", several): 1, ("mmkd", several): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"teachers": ("digit_cnn",), "question": "grid_vs_meta"},
            "'single' does not fit this study: with one teacher it is fixed, since there is "
            "nothing to weigh: give several at once, --teachers digit_cnn+OTHER",
        ),
        (
            {"strategies": ("mmkd-tau",), "teachers": ("digit_cnn",), "question": "transfer"},
            "with one teacher it is align,",
        ),
        (
            {"strategies": ("ce", "fixed")},
            "'fixed' does not fit this study: it takes one teacher, and this study gives it "
            "digit_mlp+digit_cnn_small+digit_cnn_deep at once: single runs each of them",
        ),
        ({"budget": 2.0}, "'single' does not fit this study: its 3 runs exceed the budget of 2"),
        ({"teachers": ("digit_cnn",)}, "with one teacher its methods are fixed and meta"),
        ({"teachers": ("digit_cnn+",)}, "teachers at once are written A+B, got 'digit_cnn+'"),
        (
            {"teachers": ("timm:resnet18,checkpoint_path=a+b.pt",)},
            "no option of a model may hold one, got 'timm:resnet18,checkpoint_path=a+b.pt'",
        ),
        ({"students": ("digit_mlp+digit_cnn",)}, "several at once may teach, not learn"),
        (
            {"teachers": (*SPEC.teachers, "digit_cnn"), "strategies": ("ce", "mmkd")},
            "'mmkd' does not fit this study: with one teacher it is fixed with features",
        ),
        ({"teachers": ("ensemble", "digit_cnn")}, "'ensemble' stands alone"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_in_one_line(
    change: dict[str, object], reason: str, digits: ImageDataset
) -> None:
    with pytest.raises(SpecError, match=re.escape(reason)) as refused:
        make_plan(replace(SPEC, **change), [digits])  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_a_model_without_features_is_refused_before_anything_runs(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metakd.models.classifier import Classifier
    from metakd.models.outline import feature_shape

    feature_shape.cache_clear()
    monkeypatch.delattr(Classifier, "forward_head")
    reason = r"'mmkd' .* digit_cnn_tiny: PlainCNN shows no features .* as mean_losses"
    with pytest.raises(SpecError, match=reason):
        make_plan(SPEC, [digits])
    feature_shape.cache_clear()


def test_a_batch_that_a_hard_buffer_cannot_serve_is_refused_before_anything_runs(
    digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metakd.study import defaults

    large = replace(defaults.RECIPES["digits"].student, batch_size=300)
    recipes = replace(defaults.RECIPES["digits"], student=large)
    monkeypatch.setitem(defaults.RECIPES, "digits", recipes)
    spec = replace(SPEC, strategies=("mmkd-reference",))
    with pytest.raises(SpecError, match="draws 300 samples of a hard buffer that holds 256"):
        make_plan(spec, [digits])
    make_plan(replace(spec, strategies=("mmkd",)), [digits])

"""Which strategies make sense in a study, and why the others do not."""

from collections.abc import Sequence

from metakd.core.features import FeatureError
from metakd.core.hard_buffer import DrawError
from metakd.data.catalogue import find_recipe
from metakd.data.datasets import ImageDataset
from metakd.models.names import BETWEEN_TEACHERS, ImageShape
from metakd.models.outline import feature_shape
from metakd.strategies import STRATEGIES, Strategy
from metakd.strategies.strategy import first_segments
from metakd.study.cases import Case
from metakd.study.spec import ALL, SpecError, StudySpec
from metakd.train.trial import TeacherSpec


def fitting(spec: StudySpec, cases: Sequence[Case]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the strategies that the study runs, and why it leaves others out.

    Args:
        spec: The study's spec; where it names all strategies, those that do not fit are left
            out.
        cases: Its settings and seeds.

    Raises:
        SpecError: If a strategy that it names does not fit, or none does.
    """
    left_out: dict[str, str] = {}
    for name in spec.chosen:
        reasons = (_misfit(name, STRATEGIES[name], spec, case) for case in cases)
        reason = next((reason for reason in reasons if reason), None)
        if reason is not None:
            left_out[name] = reason
    if left_out and spec.strategies != (ALL,):
        name, reason = next(iter(left_out.items()))
        raise SpecError(f"strategy {name!r} does not fit this study: {reason}")
    fits = tuple(name for name in spec.chosen if name not in left_out)
    if not fits:
        raise SpecError("no strategy fits this study: give it a teacher or another --budget")
    return fits, left_out


def needed_features(
    spec: StudySpec, levels: Sequence[tuple[TeacherSpec, ...]], dataset: ImageDataset
) -> tuple[TeacherSpec, ...]:
    """Returns the teachers of a dataset whose features a study uses.

    Those that show none are not among them: ``fitting`` says so.

    Args:
        spec: The study's spec.
        levels: The teachers, by level of their factor.
        dataset: What they teach.
    """
    if not any(STRATEGIES[name].uses_features for name in spec.chosen):
        return ()
    several = dict.fromkeys(t for level in levels if len(level) > 1 for t in level)
    return tuple(
        t
        for t in several
        if _without_features(t.model, dataset.image_shape, dataset.num_classes) is None
    )


def _misfit(name: str, strategy: Strategy, spec: StudySpec, case: Case) -> str | None:
    teachers = case.setting.teachers
    if strategy.uses_teacher and not teachers:
        return "it needs a teacher, and there is none (--teachers none)"
    if strategy.takes_several and len(teachers) == 1:
        return (
            f"with one teacher it is {strategy.with_one_teacher}, since there is nothing to weigh: "
            f"give several at once, --teachers {teachers[0].model}{BETWEEN_TEACHERS}OTHER"
        )
    if strategy.uses_teacher and not strategy.takes_several and len(teachers) > 1:
        return (
            f"it takes one teacher, and this study gives it {case.setting.teachers_name} at once: "
            "single runs each of them"
        )
    if strategy.uses_features:
        models = [case.setting.student, *(teacher.model for teacher in teachers)]
        reasons = (_without_features(m, case.image_shape, case.num_classes) for m in models)
        reason = next((reason for reason in reasons if reason), None)
        if reason is not None:
            return reason
    if case.num_classes < strategy.min_classes:
        return (
            f"it needs {strategy.min_classes} classes, and {case.setting.data.dataset} has "
            f"{case.num_classes}"
        )
    recipe = case.setting.sampling.augmentation
    if strategy.mixed_labels == "none" and find_recipe(recipe).has_soft_labels:
        return f"it needs one true class, and augmentation {recipe} spreads labels over classes"
    if strategy.needs_range and len(spec.temperatures) < 2:
        return "it searches between the lowest and the highest of --temperatures, and there is one"
    if int(spec.runs_to_spend) < strategy.min_runs:
        return f"it needs a budget of {strategy.min_runs} runs, and has {spec.runs_to_spend:g}"
    if strategy.is_searcher:
        return None
    segments = first_segments(strategy, case.choices(name, spec))
    batch = min(case.recipe.batch_size, case.samples)
    for segment in segments:
        try:
            segment.distiller.require_batch(batch)
        except DrawError as error:
            return f"{error}; mmkd has no buffer"
    runs = len(segments)
    if spec.budget is None:
        return None
    if runs > spec.budget:
        return f"its {runs} runs exceed the budget of {spec.budget:g}"
    return None


def _without_features(model: str, image_shape: ImageShape, num_classes: int) -> str | None:
    """Returns why a model's features cannot be matched, None where they can."""
    try:
        feature_shape(model, image_shape, num_classes)
    except FeatureError as error:
        return f"{error}, as mean_losses and mmkd-logits do"
    return None

"""What trials share, made once before them: views, teachers, their answers on the views."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

import ray
from ray.exceptions import RayTaskError
from torch import Tensor

from metakd.data.bank import Answers, BankError, build_answers, build_views
from metakd.data.bank.parts import Parts
from metakd.data.bank.stored import about_file, answers_parts, views_parts
from metakd.data.catalogue import AnswerType, DatasetError
from metakd.results.study import StoreError
from metakd.study.banks import BankSpec
from metakd.study.cluster import Cluster
from metakd.study.plan import Plan
from metakd.study.resources import allot_teachers
from metakd.train.answers import FEATURES, LOGITS
from metakd.train.folder import StudyFolder
from metakd.train.inputs import Normaliser, forward_batch
from metakd.train.resources import Resources
from metakd.train.samples import open_samples
from metakd.train.teacher import TeacherReport, open_teacher, open_teacher_with_features
from metakd.train.teacher_training import train_teachers
from metakd.train.trial import TeacherSpec

# A task's process takes seconds to import torch: as long as this many views take it.
VIEWS_PER_TASK = 50_000
TELL_INTERVAL_S = 2.0
PLAIN_ERRORS = (BankError, DatasetError, OSError, StoreError)


def prepare(
    plan: Plan,
    folder: StudyFolder,
    cluster: Cluster,
    needed: Collection[str],
    on_stage: Callable[[str], None] = lambda stage: None,
) -> list[TeacherReport]:
    """Makes what is not there of the banks and the teachers, each on the whole cluster.

    Args:
        plan: The study's plan.
        folder: Where everything goes.
        cluster: Where to work.
        needed: Ids of the banks that trials still to run ask for.
        on_stage: Told in words what is being made.

    Returns:
        How good the teachers are, in the plan's order; none where no strategy asks one.

    Raises:
        TeacherTrainingError: If training failed.
        BankError: If the teachers' answers cannot be kept.
        DatasetError: If an image cannot be read.
    """
    banks = [bank for bank in plan.banks if bank.mode != "live" and bank.id in needed]
    with_views = [bank for bank in banks if bank.mode == "full"]
    views = [_make_views.remote(part, folder) for part in _deal(with_views, cluster.cpus)]

    def tell_views() -> None:
        done = _done(with_views, lambda bank: [views_parts(folder.banks, bank.id)], folder)
        on_stage(f"augmented views {done}")

    on_stage("augmented views")
    if not plan.teachers:
        _wait(views, tell_views)
        return []
    on_stage(_in_words(plan.teachers[0], plan.teachers))
    allotment = allot_teachers(
        cluster.nodes, len(plan.teachers), min(spec.recipe.batch_size for spec in plan.teachers)
    )
    reports = train_teachers(
        plan.teachers,
        folder,
        allotment.each,
        allotment.at_once,
        on_epoch=lambda spec, done: on_stage(
            f"{_in_words(spec, plan.teachers)}, epoch {done} of {spec.recipe.epochs}"
        ),
    )
    # Not waited for before: Ray Train's own start needs no CPU of the cluster.
    _wait(views, tell_views)
    each = Resources(gpus=1 if cluster.gpus else 0)
    ask = _ask_teachers.options(num_gpus=each.gpus)
    kept_as = plan.spec.logits
    answers = [
        ask.remote(part, kept_as, folder, each)
        for part in _deal(banks, cluster.gpus or cluster.cpus)
    ]

    def parts_of(bank: BankSpec) -> list[Parts]:
        return [
            answers_parts(folder.banks, bank.id, teacher.id, name, kept_as)
            for teacher in bank.teachers
            for name in bank.answers_of(teacher)
        ]

    def tell_answers() -> None:
        on_stage(f"the teachers' answers {_done(banks, parts_of, folder)}")

    _wait(answers, tell_answers)
    return reports


def _in_words(teacher: TeacherSpec, teachers: Sequence[TeacherSpec]) -> str:
    """Returns what a teacher under training is called: one model may stand there twice."""
    of = f" {teachers.index(teacher) + 1} of {len(teachers)}," if len(teachers) > 1 else ""
    return f"teacher{of} {teacher.model}"


def _deal(banks: Sequence[BankSpec], at_most: int) -> list[list[BankSpec]]:
    """Deals the banks out to tasks that have enough to do to be worth their start."""
    views = sum(len(bank.sample_ids) * bank.passes for bank in banks)
    count = min(at_most, 1 + views // VIEWS_PER_TASK)
    return [list(banks[start::count]) for start in range(min(count, len(banks)))]


def _wait(tasks: list[ray.ObjectRef], tell: Callable[[], None]) -> None:
    """Waits for all tasks, and tells now and then how far they are."""
    waiting = tasks
    while waiting:
        ready, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=TELL_INTERVAL_S)
        try:
            ray.get(ready)
        except RayTaskError as error:
            # Ray's own text is a traceback of the worker; these causes speak for themselves.
            raise error.cause if isinstance(error.cause, PLAIN_ERRORS) else error from None
        tell()


def _done(
    banks: Sequence[BankSpec], parts_of: Callable[[BankSpec], list[Parts]], folder: StudyFolder
) -> str:
    """Returns in words how much of some banks is there."""
    done = total = 0
    for bank in banks:
        with suppress(BankError):
            folder.bring(about_file(folder.banks, bank.id))
            for parts in parts_of(bank):
                done += len(folder.names(parts.folder))
                total += parts.count
    return f"{100 * done / max(total, 1):.0f} %"


@ray.remote(num_cpus=1)
def _make_views(banks: Sequence[BankSpec], folder: StudyFolder) -> None:
    Resources().claim()
    for bank in banks:
        place = folder.banks / bank.id
        folder.bring(place)
        build_views(folder.banks, bank.views(open_samples(bank.data, folder)))
        folder.hand_over(place)


@ray.remote(num_cpus=1)
def _ask_teachers(
    banks: Sequence[BankSpec], kept_as: AnswerType, folder: StudyFolder, resources: Resources
) -> None:
    resources.claim()
    for teacher in dict.fromkeys(teacher for bank in banks for teacher in bank.teachers):
        samples = open_samples(teacher.data, folder)
        asked = [bank for bank in banks if teacher in bank.teachers]
        if any(FEATURES in bank.answers_of(teacher) for bank in asked):
            ask = partial(_answers, open_teacher_with_features(teacher, folder), samples.normalise)
        else:
            ask = partial(_logits, open_teacher(teacher, folder), samples.normalise)
        at_once = forward_batch(samples.dataset.image_shape, samples.device)
        for bank in asked:
            place = folder.banks / bank.id
            folder.bring(place)
            views = bank.views(samples)
            names = bank.answers_of(teacher)
            build_answers(folder.banks, views, teacher.id, ask, kept_as, names, at_once)
            folder.hand_over(place)


def _logits(teacher: Callable[[Tensor], Tensor], normalise: Normaliser, images: Tensor) -> Answers:
    return {LOGITS: teacher(normalise(images))}


def _answers(
    teacher: Callable[[Tensor], Answers], normalise: Normaliser, images: Tensor
) -> Answers:
    return teacher(normalise(images))

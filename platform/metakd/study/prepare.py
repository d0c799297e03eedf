"""What trials share, made once before them: views, the teacher, its answers on the views."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

import ray
from ray.exceptions import RayTaskError
from torch import Tensor

from metakd.data.bank import AnswerType, BankError, build_answers, build_views
from metakd.data.bank.parts import Parts
from metakd.data.bank.stored import about_file, answers_parts, views_parts
from metakd.data.datasets import DatasetError
from metakd.results.study import StoreError
from metakd.study.banks import BankSpec
from metakd.study.cluster import Cluster
from metakd.study.plan import Plan
from metakd.study.resources import allot_teachers
from metakd.train.folder import StudyFolder
from metakd.train.inputs import forward_batch
from metakd.train.resources import Resources
from metakd.train.samples import open_samples
from metakd.train.teacher import TeacherReport, open_teacher
from metakd.train.teacher_training import train_teachers
from metakd.train.trial import DataSpec, TeacherSpec

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
) -> TeacherReport | None:
    """Makes what is not there of the banks and the teacher, each on the whole cluster.

    Args:
        plan: The study's plan.
        folder: Where everything goes.
        cluster: Where to work.
        needed: Ids of the banks that trials still to run ask for.
        on_stage: Told in words what is being made.

    Returns:
        How good the teacher is; None where no strategy asks one.

    Raises:
        TeacherError: If training failed.
        BankError: If the teacher's answers cannot be kept.
        DatasetError: If an image cannot be read.
    """
    banks = [bank for bank in plan.banks if bank.mode != "live" and bank.id in needed]
    with_views = [bank for bank in banks if bank.mode == "full"]
    views = [
        _make_views.remote(part, plan.data, folder) for part in _deal(with_views, cluster.cpus)
    ]
    parts_of_views = partial(views_parts, folder.banks)

    def tell_views() -> None:
        on_stage(f"augmented views {_done(with_views, parts_of_views, folder)}")

    on_stage("augmented views")
    if plan.teacher is None:
        _wait(views, tell_views)
        return None
    on_stage(f"teacher {plan.teacher.model}")
    allotment = allot_teachers(cluster.nodes, 1, plan.teacher.recipe.batch_size)
    (report,) = train_teachers(
        [plan.teacher],
        folder,
        allotment.each,
        allotment.at_once,
        on_epoch=lambda spec, done: on_stage(
            f"teacher {spec.model}, epoch {done} of {spec.recipe.epochs}"
        ),
    )
    # Not waited for before: Ray Train's own start needs no CPU of the cluster.
    _wait(views, tell_views)
    each = Resources(gpus=1 if cluster.gpus else 0)
    ask = _ask_teacher.options(num_gpus=each.gpus)
    kept_as, teacher = plan.spec.logits, plan.teacher
    answers = [
        ask.remote(part, teacher, kept_as, folder, each)
        for part in _deal(banks, cluster.gpus or cluster.cpus)
    ]
    parts_of_answers = partial(
        answers_parts, folder.banks, teacher_id=teacher.id, name="logits", kept_as=kept_as
    )

    def tell_answers() -> None:
        on_stage(f"the teacher's answers {_done(banks, parts_of_answers, folder)}")

    _wait(answers, tell_answers)
    return report


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


def _done(banks: Sequence[BankSpec], parts_of: Callable[[str], Parts], folder: StudyFolder) -> str:
    """Returns in words how much of some banks is there."""
    done = total = 0
    for bank in banks:
        with suppress(BankError):
            folder.bring(about_file(folder.banks, bank.id))
            parts = parts_of(bank.id)
            done += len(folder.names(parts.folder))
            total += parts.count
    return f"{100 * done / max(total, 1):.0f} %"


@ray.remote(num_cpus=1)
def _make_views(banks: Sequence[BankSpec], data: DataSpec, folder: StudyFolder) -> None:
    Resources().claim()
    samples = open_samples(data, folder)
    for bank in banks:
        place = folder.banks / bank.id
        folder.bring(place)
        build_views(folder.banks, bank.views(samples))
        folder.hand_over(place)


@ray.remote(num_cpus=1)
def _ask_teacher(
    banks: Sequence[BankSpec],
    teacher: TeacherSpec,
    kept_as: AnswerType,
    folder: StudyFolder,
    resources: Resources,
) -> None:
    resources.claim()
    samples = open_samples(teacher.data, folder)
    ask = open_teacher(teacher, folder)

    def answers(images: Tensor) -> dict[str, Tensor]:
        return {"logits": ask(samples.normalise(images))}

    at_once = forward_batch(samples.dataset.image_shape, samples.device)
    for bank in banks:
        place = folder.banks / bank.id
        folder.bring(place)
        views = bank.views(samples)
        build_answers(folder.banks, views, teacher.id, answers, kept_as, batch_size=at_once)
        folder.hand_over(place)

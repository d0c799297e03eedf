"""What trials share, made once before them: views, the teacher, its answers on the views."""

from collections.abc import Callable, Collection, Sequence

import ray
import torch
from torch import Tensor

from metakd.data.bank import build_logits, build_views
from metakd.study.cluster import Cluster
from metakd.study.plan import BankSpec, Plan
from metakd.train.folder import StudyFolder
from metakd.train.samples import open_samples
from metakd.train.teacher import TeacherReport, open_teacher
from metakd.train.teacher_training import train_teacher
from metakd.train.trial import DataSpec, TeacherSpec

# A task's process takes seconds to import torch: as long as this many views take it.
VIEWS_PER_TASK = 50_000


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
    """
    parts = _parts([bank for bank in plan.banks if bank.id in needed], at_most=cluster.cpus)
    on_stage("augmented views")
    views = [_make_views.remote(part, plan.data, folder) for part in parts]
    if plan.teacher is None:
        ray.get(views)
        return None
    name, epochs = plan.teacher.model, plan.teacher.recipe.epochs
    on_stage(f"teacher {name}")
    report = train_teacher(
        plan.teacher,
        folder,
        # On CPUs a worker a node, with all its threads: exchanging gradients gains nothing there.
        workers=cluster.gpus or cluster.nodes,
        cpus=1 if cluster.gpus else max(1, cluster.cpus // cluster.nodes),
        use_gpu=cluster.gpus > 0,
        on_epoch=lambda done: on_stage(f"teacher {name}, epoch {done} of {epochs}"),
    )
    # Not waited for before: Ray Train's own start needs no CPU of the cluster.
    ray.get(views)
    on_stage("the teacher's answers")
    ray.get([_ask_teacher.remote(part, plan.teacher, folder) for part in parts])
    return report


def _parts(banks: Sequence[BankSpec], at_most: int) -> list[list[BankSpec]]:
    """Deals the banks out to tasks that have enough to do to be worth their start."""
    views = sum(len(bank.sample_ids) * bank.views for bank in banks)
    count = min(at_most, 1 + views // VIEWS_PER_TASK)
    return [list(banks[start::count]) for start in range(min(count, len(banks)))]


@ray.remote(num_cpus=1)
def _make_views(banks: Sequence[BankSpec], data: DataSpec, folder: StudyFolder) -> None:
    torch.set_num_threads(1)
    dataset = open_samples(data, folder).dataset
    for bank in banks:
        build_views(
            folder.banks, dataset, bank.augmentation, bank.seed, bank.sample_ids, bank.views
        )


@ray.remote(num_cpus=1)
def _ask_teacher(banks: Sequence[BankSpec], teacher: TeacherSpec, folder: StudyFolder) -> None:
    torch.set_num_threads(1)
    samples = open_samples(teacher.data, folder)
    answer = open_teacher(teacher, folder)

    def logits(images: Tensor) -> Tensor:
        return answer(samples.normalise(images.to(samples.device))).cpu()

    for bank in banks:
        build_logits(folder.banks, bank.id, teacher.id, logits)

"""What trials share, made once before them: the views, the teacher, its answers on the views."""

from collections.abc import Collection, Sequence

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


def prepare(
    plan: Plan, folder: StudyFolder, cluster: Cluster, needed: Collection[str]
) -> TeacherReport | None:
    """Makes what is not there of the teacher and the banks, on the whole cluster.

    The views need no teacher: they are made while it is trained.

    Args:
        plan: The study's plan.
        folder: Where everything goes.
        cluster: Where to work.
        needed: Ids of the banks that trials still to run ask for.

    Returns:
        How good the teacher is; None where no strategy asks one.

    Raises:
        TeacherError: If training failed.
    """
    banks = [bank for bank in plan.banks if bank.id in needed]
    # Small models gain nothing from exchanging gradients between CPU processes.
    workers = cluster.gpus or cluster.nodes
    others = max(1, cluster.cpus - workers)
    views = [_make_views.remote(part, plan.data, folder) for part in _parts(banks, others)]
    report = None
    if plan.teacher is not None:
        report = train_teacher(plan.teacher, folder, workers, cpus=1, use_gpu=cluster.gpus > 0)
    ray.get(views)
    if plan.teacher is not None:
        parts = _parts(banks, cluster.cpus)
        ray.get([_ask_teacher.remote(part, plan.teacher, folder) for part in parts])
    return report


def _parts(banks: Sequence[BankSpec], count: int) -> list[list[BankSpec]]:
    """Deals the banks out to so many tasks at most."""
    parts = [list(banks[start::count]) for start in range(count)]
    return [part for part in parts if part]


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

"""Whether teachers are trained before all trials, on whole machines, or are jobs among trials."""

from collections.abc import Sequence

from metakd.models.names import TINY_SIDE, brings_weights
from metakd.study.allotment import Node
from metakd.study.cost import expected_steps
from metakd.study.gpu_work import work_of
from metakd.study.plan import Plan
from metakd.study.scheduler import Scheduler
from metakd.train.trial import DataSpec, TeacherSpec

FEW_CPUS = 4
"""With more of them a teacher on one CPU would take longer than all trials together."""
WORTH = 0.5
"""On 2 threads ResNets of CIFAR's size train 1.4 times as fast as on one: a CPU that has nothing to
do for half of a teacher's training loses more than its threads do."""


def come_first(
    plan: Plan, scheduler: Scheduler, untrained: Sequence[TeacherSpec], nodes: Sequence[Node]
) -> bool:
    """Says whether teachers are trained before all trials.

    With GPUs or many CPUs they are. With few CPUs they are if too few trials could run beside them
    to keep the other CPUs busy; on tiny images threads gain nothing. It is counted, not measured:
    threads change the last digits of a teacher's weights, and the same study makes the same ones.

    Args:
        plan: The study's plan.
        scheduler: What is not finished of it.
        untrained: Teachers that are not trained yet.
        nodes: The machines.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    teachers = [teacher for teacher in untrained if not brings_weights(teacher.model)]
    if not untrained or gpus or cpus > FEW_CPUS:
        return bool(untrained)
    if cpus == 1 or len(nodes) > 1 or len(teachers) >= cpus or not teachers:
        return False
    if any(max(o.dataset.image_shape[1:]) < TINY_SIDE for o in plan.opened):
        return False
    beside = sum(
        expected_steps(job) * job.batch_size * _operations(plan, job.trial.data, job.trial.student)
        for job in scheduler.known()
        if not job.trial.teachers
    )
    taught = sum(
        each.recipe.epochs
        * len(plan.opened_of(each.data).splits.train)
        * _operations(plan, each.data, each.model)
        for each in teachers
    )
    return beside < WORTH * (cpus - len(teachers)) * taught


def _operations(plan: Plan, data: DataSpec, model: str) -> float:
    """Returns the operations of a pass of one image."""
    dataset = plan.opened_of(data).dataset
    work = work_of(model, dataset.image_shape, dataset.num_classes)
    return work.convolutions + work.products

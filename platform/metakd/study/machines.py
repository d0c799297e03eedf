"""Where a study's cost is predicted for: the machines here, a cluster, or ones that are assumed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from metakd.core.recipe import Recipe
from metakd.data.catalogue import find_recipe
from metakd.machine import usable_cpus
from metakd.models.outline import parameters_of
from metakd.study.allotment import Node, allot, allot_teachers
from metakd.study.estimate import Estimate, TeachersAlone, estimate
from metakd.study.gpu_work import BACKWARD, GPUS, Gpu, Work, work_of
from metakd.study.options import ResourceError, Wanted
from metakd.study.plan import Opened, Plan
from metakd.study.scheduler import Scheduler
from metakd.study.speeds import WEIGHT_BYTES, MeasuredSpeeds, Speeds
from metakd.study.teachers_first import come_first
from metakd.train.trial import TeacherSpec

GPUS_OF_A_NODE, CPUS_OF_A_GPU = 8, 24
"""Machines with eight H100 have 24 CPUs a GPU, or more."""
DECODING_CPUS = CPUS_OF_A_GPU - 1
"""One of them trains."""
DECODED_PER_S = 190.0
"""JPEGs of 500×375 that one of them decodes and augments as ``strong``, as measured once."""
AROUND = 1.1
"""The optimiser and the exchange of gradients: steps over their passes."""
MOST_ASSUMED = 100_000
UNMEASURED = (
    "no estimate: the cluster has GPUs, and none is here to measure; --assume 8xH100 computes one"
)


@dataclass(frozen=True)
class Machines:
    """Machines that a study may run on.

    Attributes:
        nodes: What each of them has.
        speeds: Of one of their CPUs, or GPUs where they have any.
        in_words: What they are called.
        is_measured: Whether the speeds are; otherwise they are computed.
    """

    nodes: tuple[Node, ...]
    speeds: Speeds
    in_words: str
    is_measured: bool = True

    def estimate(
        self, plan: Plan, scheduler: Scheduler, untrained: Sequence[TeacherSpec], wanted: Wanted
    ) -> Estimate:
        """Returns what the rest of a study takes here.

        Raises:
            ResourceError: If not even one trial fits.
        """
        return estimate(
            plan,
            scheduler,
            untrained,
            allot(wanted, self.nodes),
            self.speeds,
            self._teachers_alone(untrained)
            if come_first(plan, scheduler, untrained, self.nodes)
            else None,
        )

    def _teachers_alone(self, untrained: Sequence[TeacherSpec]) -> TeachersAlone:
        """Returns how teachers are trained where they come before all trials."""
        batch = min(teacher.recipe.batch_size for teacher in untrained)
        given = allot_teachers(self.nodes, len(untrained), batch)
        processes = given.at_once * given.each.workers
        if any(node.gpus for node in self.nodes):
            return TeachersAlone(self.speeds, processes, 1)
        threads = min(int(given.each.cpus), usable_cpus())
        return TeachersAlone(_on_threads(threads), processes, int(given.each.cpus))


@cache
def _on_threads(threads: int) -> MeasuredSpeeds:
    """Returns the speeds of so many CPUs here: a plan's estimates measure a teacher once."""
    return MeasuredSpeeds(threads)


def machines_here() -> Machines:
    """Returns this machine: its GPUs if PyTorch sees any, else its CPUs."""
    node = Node(usable_cpus(), torch.cuda.device_count())
    if node.gpus:
        return Machines((node,), MeasuredSpeeds(device="cuda"), f"the {node.gpus} GPUs here")
    return Machines((node,), MeasuredSpeeds(), f"the {node.cpus} CPUs here")


def machines_of(nodes: Sequence[Node]) -> Machines | None:
    """Returns a cluster's machines; None where they have GPUs and none is here to measure."""
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    if not gpus:
        return Machines(tuple(nodes), MeasuredSpeeds(), f"the cluster's {cpus} CPUs, if like these")
    if not torch.cuda.is_available():
        return None
    speeds = MeasuredSpeeds(device="cuda")
    return Machines(tuple(nodes), speeds, f"the cluster's {gpus} GPUs, if like those here")


def assumed_machines(text: str) -> Machines:
    """Returns machines that are not here.

    Args:
        text: "8xH100": so many GPUs of a kind, on machines of eight; "64xCPU": so many CPUs, each
            as fast as those here.

    Raises:
        ResourceError: If it is neither.
    """
    found = re.fullmatch(r"(\d+)\s*[x×]\s*([A-Za-z0-9]+)", text.strip())
    kinds = {gpu.name.lower(): gpu for gpu in GPUS}
    kind = found[2].lower() if found else ""
    if found is None or kind not in (*kinds, "cpu") or not 1 <= int(found[1]) <= MOST_ASSUMED:
        known = ", ".join([*(gpu.name for gpu in GPUS), "CPU"])
        raise ResourceError(
            f"--assume takes a number and a kind ({known}), such as 8xH100 or 64xCPU, got {text!r}"
        )
    count = int(found[1])
    if kind == "cpu":
        return Machines((Node(count, 0),), MeasuredSpeeds(), f"{count} CPUs like those here")
    gpu = kinds[kind]
    whole, rest = divmod(count, GPUS_OF_A_NODE)
    sizes = [GPUS_OF_A_NODE] * whole + [rest] * (rest > 0)
    nodes = tuple(Node(size * CPUS_OF_A_GPU, size) for size in sizes)
    return Machines(nodes, AssumedSpeeds(gpu), f"{count} {gpu.name}", is_measured=False)


@dataclass(frozen=True)
class AssumedSpeeds:
    """Speeds of a GPU by its peak rates: operations and memory traffic, counted and divided."""

    gpu: Gpu
    around: float = AROUND

    def step_s(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> float:
        """Returns the seconds of a forward and a backward pass of a batch under autocast."""
        batch = min(recipe.batch_size, len(opened.splits.train))
        work = self._work(model, opened)
        return max(batch * work.training_s(self.gpu), work.launching_s)

    def forward_s(self, model: str, opened: Opened) -> float:
        """Returns the seconds of a forward pass of one image in float32."""
        return self._work(model, opened).forward_s(self.gpu)

    def evaluating_s(self, model: str, opened: Opened) -> float:
        """Returns the seconds of a forward pass of one image under autocast."""
        return self._work(model, opened).training_s(self.gpu) / (1 + BACKWARD)

    def view_s(self, opened: Opened, augmentation: str) -> float:
        """Returns 0: views of decoded images take no time beside the passes."""
        return 0.0

    def loading_s(self, opened: Opened, augmentation: str) -> float:
        """Returns the seconds that a GPU's CPUs take to decode an image, or two for a mixed one."""
        if opened.dataset.is_decoded:
            return 0.0
        images = 1 if find_recipe(augmentation).mixing is None else 2
        return images / (DECODING_CPUS * DECODED_PER_S)

    def memory(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> int:
        """Returns the bytes of weights and optimiser: activations are in the GPU's memory."""
        shape, classes = opened.dataset.image_shape, opened.dataset.num_classes
        return WEIGHT_BYTES * parameters_of(model, shape, classes)

    def _work(self, model: str, opened: Opened) -> Work:
        return work_of(model, opened.dataset.image_shape, opened.dataset.num_classes)

"""What each trial and each teacher is given of a cluster, so that all that runs at once fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from metakd.study.options import ResourceError, Wanted
from metakd.train.resources import Resources
from metakd.train.share import largest_divisor

ROUNDING = 1e-9


class Node(NamedTuple):
    """What one machine of a cluster has."""

    cpus: int
    gpus: int


@dataclass(frozen=True)
class Allotment:
    """What each trial gets, and how many run at once."""

    each: Resources
    at_once: int

    def __str__(self) -> str:
        workers = "1 worker" if self.each.workers == 1 else f"{self.each.workers} workers"
        gpus = f" and {self.each.gpus:g} GPU" if self.each.gpus else ""
        return f"{self.at_once} at once, each {workers} with {self.each.cpus:g} CPU{gpus}"


def allot(wanted: Wanted, nodes: Sequence[Node]) -> Allotment:
    """Gives each trial its resources, and says how many fit at once.

    All workers of a trial are placed together or not at all, and never more trials are begun than
    fit: nothing can wait for what another waiting trial holds. A worker gets one GPU where there
    are any, and its part of the machine's CPUs; one CPU where there are none.

    Args:
        wanted: What the user wants.
        nodes: The machines.

    Raises:
        ResourceError: If not even one trial fits.
    """
    has_gpus = any(node.gpus for node in nodes)
    gpus = (1.0 if has_gpus else 0.0) if wanted.gpus is None else wanted.gpus / wanted.workers
    if wanted.cpus is not None:
        cpus = wanted.cpus / wanted.workers
    elif gpus:
        per_gpu = [node.cpus / node.gpus for node in nodes if node.gpus]
        cpus = float(max(1, int(min(per_gpu, default=1.0) * gpus)))
    else:
        cpus = 1.0
    each = Resources(wanted.workers, cpus, gpus)
    if sum(_places(node, each) for node in nodes) < wanted.workers:
        by_worker = f"{wanted.workers} workers × " if wanted.workers > 1 else ""
        has = ", ".join(f"{node.cpus} CPUs and {node.gpus} GPUs" for node in nodes)
        raise ResourceError(
            f"a trial needs {by_worker}{cpus:g} CPU and {gpus:g} GPU, but the cluster has {has} by "
            "machine: lower --workers-per-trial, --cpus-per-trial or --gpus-per-trial"
        )
    return Allotment(each, at_once(each, nodes, wanted.max_concurrent))


def at_once(each: Resources, nodes: Sequence[Node], at_most: int | None = None) -> int:
    """Returns how many trials may run at once on these machines; at least one, which then waits.

    Args:
        each: What each trial is given.
        nodes: The machines as they are now.
        at_most: A limit that the user sets.
    """
    fitting = sum(_places(node, each) for node in nodes) // each.workers
    return max(1, min(fitting, at_most or fitting))


def begun_at_once(each: Resources, nodes: Sequence[Node], at_most: int | None = None) -> int:
    """Returns how many trials Tune is given at once: those that run, and the ones after them.

    Where one waits for each that runs, Tune passes its actor on; with none waiting it stops actors
    that are idle at the same moment, and the next trials wait for imports of new ones. Workers of
    their own are not placed by Tune, so that such trials may not wait there; nor may any beyond a
    limit of the user's.

    Args:
        each: What each trial is given.
        nodes: The machines as they are now.
        at_most: A limit that the user sets.
    """
    running = at_once(each, nodes, at_most)
    is_limited = at_most is not None and running == at_most
    return running if is_limited or each.workers > 1 else 2 * running


def allot_teachers(nodes: Sequence[Node], teachers: int, batch_size: int) -> Allotment:
    """Gives teachers the whole cluster: side by side where there are several.

    On GPUs a worker has one; on CPUs a worker is a machine with all its threads, since exchanging
    gradients gains nothing inside one.

    Args:
        nodes: The machines.
        teachers: How many are to be trained, at least 1.
        batch_size: The workers of one share it evenly.
    """
    gpus = sum(node.gpus for node in nodes)
    if gpus:
        side_by_side = min(teachers, gpus)
        workers = largest_divisor(batch_size, gpus // side_by_side)
        cpus = max(1, min(node.cpus // node.gpus for node in nodes if node.gpus))
        return Allotment(Resources(workers, cpus, 1), side_by_side)
    cpus = max(1, min(node.cpus for node in nodes if node.cpus))
    places = sum(node.cpus // cpus for node in nodes)
    if teachers <= places:
        workers = largest_divisor(batch_size, places // teachers)
        return Allotment(Resources(workers, cpus), teachers)
    # More teachers than machines: they share the threads of each.
    side_by_side = min(teachers, places * cpus)
    return Allotment(Resources(1, cpus * places // side_by_side), side_by_side)


def _places(node: Node, each: Resources) -> int:
    """Returns how many workers a machine holds."""
    places = int(node.cpus / each.cpus + ROUNDING)
    if 0 < each.gpus < 1:
        # Ray cuts no worker's part from two GPUs.
        return min(places, node.gpus * int(1 / each.gpus + ROUNDING))
    return min(places, int(node.gpus // each.gpus)) if each.gpus else places

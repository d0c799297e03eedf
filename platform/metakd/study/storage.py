"""Whether all machines of a cluster see the results folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from metakd.atomic import new_file
from metakd.errors import UserError
from metakd.results.study import StoreError
from metakd.train.folder import StudyFolder

PROBE_TIMEOUT_S = 120.0
# Where Ray unpacks what `ray job submit --working-dir` uploads.
JOB_FOLDER = "working_dir_files"


class StorageError(UserError):
    """The results folder is not where all machines can work with it."""


def require_lasting(out: Path) -> None:
    """Checks that results outlive a Ray job that computes them.

    Args:
        out: The results folder, absolute.

    Raises:
        StorageError: If it lies in the copy of the working directory that Ray makes for a job.
    """
    if JOB_FOLDER in out.parts:
        raise StorageError(
            f"{out} is removed with the Ray job that this study runs in: set --out to an absolute "
            "path that outlives it, on storage that all machines share"
        )


def require_shared(folder: StudyFolder) -> None:
    """Checks that every machine of the connected cluster reads and writes the same files.

    Args:
        folder: The study's folder.

    Raises:
        StorageError: If a machine does not, or does not answer.
    """
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    here = ray.get_runtime_context().get_node_id()
    others = [node for node in nodes if node["NodeID"] != here]
    if not others:
        return
    word = uuid4().hex
    probe = folder.out / f".probe-{word}"
    with new_file(probe) as draft:
        draft.write_text(word)
    folder.push(probe)
    try:
        blind = _blind(others, folder, probe, word)
    finally:
        for place in (probe, *(_answer_to(probe, node["NodeID"]) for node in others)):
            folder.remove(place)
    if blind and folder.store is None:
        raise StorageError(
            f"{folder.out} is not the same folder on all {len(others) + 1} machines of the cluster "
            f"(not on {', '.join(sorted(blind))}): set --out to a folder on storage that all of "
            "them share, NFS or the like, mounted at the same path, or to an object store (s3://)"
        )
    if blind:
        raise StorageError(
            f"{', '.join(sorted(blind))} of {len(others) + 1} machines cannot read and write "
            f"{folder.store}: give all of them its credentials, and a --scratch folder that they "
            f"can write (now {folder.out.parent})"
        )


def _blind(
    nodes: Sequence[dict[str, str]], folder: StudyFolder, probe: Path, word: str
) -> list[str]:
    """Returns the addresses of machines that do not see the probe, or whose answer is not seen."""
    # What is checked before Ray is needed must not wait for its import.
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    answer = ray.remote(num_cpus=0)(_answer)
    tasks = {
        answer.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(folder, probe, node["NodeID"]): node
        for node in nodes
    }
    ready, _ = ray.wait(list(tasks), num_returns=len(tasks), timeout=PROBE_TIMEOUT_S)
    seen = {tasks[task]["NodeID"] for task in ready if ray.get(task) == word}
    # What it wrote has to arrive here, too.
    for node in seen:
        folder.fetch(_answer_to(probe, node))
    seen = {node for node in seen if _answer_to(probe, node).exists()}
    return [node["NodeManagerAddress"] for node in nodes if node["NodeID"] not in seen]


def _answer(folder: StudyFolder, probe: Path, node: str) -> str | None:
    try:
        folder.fetch(probe)
        word = probe.read_text()
        answer = _answer_to(probe, node)
        answer.write_text(word)
        folder.push(answer)
        if folder.store is not None:
            probe.unlink(missing_ok=True)
            answer.unlink(missing_ok=True)
        # Network file systems show a new entry to others once its folder is listed anew.
        os.listdir(probe.parent)  # noqa: PTH208
    except (OSError, StoreError):
        return None
    return word


def _answer_to(probe: Path, node: str) -> Path:
    return probe.with_name(f"{probe.name}-{node}")

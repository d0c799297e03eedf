"""Whether all machines of a cluster see the results folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from metakd.atomic import new_file

PROBE_TIMEOUT_S = 120.0
# Where Ray unpacks what `ray job submit --working-dir` uploads.
JOB_FOLDER = "working_dir_files"


class StorageError(ValueError):
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


def require_shared(out: Path) -> None:
    """Checks that every machine of the connected cluster reads and writes the same folder.

    Args:
        out: The results folder, absolute.

    Raises:
        StorageError: If a machine does not, or does not answer.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    here = ray.get_runtime_context().get_node_id()
    others = [node for node in nodes if node["NodeID"] != here]
    if not others:
        return
    word = uuid4().hex
    probe = out / f".probe-{word}"
    with new_file(probe) as draft:
        draft.write_text(word)
    try:
        blind = _blind(others, probe, word)
    finally:
        for file in out.glob(f".probe-{word}*"):
            file.unlink(missing_ok=True)
    if blind:
        raise StorageError(
            f"{out} is not the same folder on all {len(others) + 1} machines of the cluster (not "
            f"on {', '.join(sorted(blind))}): set --out to a folder on storage that all of them "
            "share, NFS or the like, mounted at the same path"
        )


def _blind(nodes: Sequence[dict[str, str]], probe: Path, word: str) -> list[str]:
    """Returns the addresses of machines that do not see the probe, or whose answer is not seen."""
    tasks = {
        _answer.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(probe, node["NodeID"]): node
        for node in nodes
    }
    ready, _ = ray.wait(list(tasks), num_returns=len(tasks), timeout=PROBE_TIMEOUT_S)
    seen = {tasks[task]["NodeID"] for task in ready if ray.get(task) == word}
    # What it wrote has to arrive here, too.
    seen = {node for node in seen if probe.with_name(f"{probe.name}-{node}").exists()}
    return [node["NodeManagerAddress"] for node in nodes if node["NodeID"] not in seen]


@ray.remote(num_cpus=0)
def _answer(probe: Path, node: str) -> str | None:
    try:
        word = probe.read_text()
        probe.with_name(f"{probe.name}-{node}").write_text(word)
        # Network file systems show a new entry to others once its folder is listed anew.
        os.listdir(probe.parent)  # noqa: PTH208
    except OSError:
        return None
    return word

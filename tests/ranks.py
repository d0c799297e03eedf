"""Several processes of one torch process group: what tests of DDP share."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


def run_ranks(script: Path, world: int, folder: Path) -> list[dict[str, Any]]:
    """Runs a script once for each rank and returns what each wrote."""
    outs = [folder / f"{world}-{rank}.json" for rank in range(world)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", script, str(rank), str(world), folder / "store", out],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )
        for rank, out in enumerate(outs)
    ]
    assert [process.wait(timeout=240) for process in processes] == [0] * world
    return [json.loads(out.read_text()) for out in outs]


@contextmanager
def joined() -> Iterator[tuple[int, int]]:
    """Yields rank and world of such a script, in a group of its own where there are several.

    The script ends with it: gloo's threads abort the end of an interpreter now and then
    (pytorch/pytorch issue 190489), when all that is tested is done.
    """
    rank, world = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{sys.argv[3]}", rank=rank, world_size=world
        )
    yield rank, world
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()
    os._exit(0)


def write(found: dict[str, Any]) -> None:
    """Writes what a rank found, for ``run_ranks``."""
    Path(sys.argv[4]).write_text(json.dumps(found))

"""One process of the check ``ranks``: runs a trial, alone or as a rank of a group.

``python -m gpu_checks.rank WORK OUT BACKEND RANK WORLD``, where WORK is a pickled trial, folder,
device and number of trials; BACKEND may be "alone".
"""

import json
import os
import pickle
import sys
import time
import warnings
from pathlib import Path

import torch
import torch.distributed as dist

from gpu_checks.prepared import run_on
from gpu_checks.trials import curve


def main(work: Path, out: Path, backend: str, rank: int, world: int) -> None:
    """Writes the trial's curve, and how long it took."""
    warnings.simplefilter("ignore")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    trial, folder, device = pickle.loads(work.read_bytes())
    if backend != "alone":
        store = f"file://{out.parent / 'store'}"
        dist.init_process_group(backend, init_method=store, rank=rank, world_size=world)
    start = time.perf_counter()
    seen = curve(run_on(device, trial, folder))
    found = {"curve": seen, "seconds": time.perf_counter() - start}
    out.with_suffix(f".{rank}.json").write_text(json.dumps(found))
    if backend != "alone":
        dist.barrier()
    os._exit(0)  # gloo's threads abort the end of an interpreter now and then


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))

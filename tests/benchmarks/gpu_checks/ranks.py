"""Several processes on one GPU: two ranks of one trial, and four trials side by side."""

import json
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gpu_checks.case import Found, Setup
from gpu_checks.prepared import run_on
from gpu_checks.trials import curve, differences, opened
from metakd.core.distillers import KDConfig, MKDConfig
from metakd.train.trial import Trial

TOLERANCE = 0.02
"""A GPU adds up in another order each time, and steps amplify that."""
SHARED_GPU = "Duplicate GPU"
"""What NCCL says where it does not allow two ranks on one GPU."""
SIDE_BY_SIDE = 4


class RankError(RuntimeError):
    """A process failed; the message is the end of what it wrote."""


def run_processes(
    setup: Setup, name: str, work: tuple[Any, ...], backend: str, count: int
) -> list[dict[str, Any]]:
    """Runs the work in so many processes, and returns what each wrote."""
    place = setup.work / name
    place.mkdir(exist_ok=True)
    (place / "store").unlink(missing_ok=True)
    (place / "work").write_bytes(pickle.dumps(work))
    command = [sys.executable, "-m", "gpu_checks.rank", str(place / "work"), str(place / "found")]
    started = [
        subprocess.Popen(
            [*command, backend, str(rank), str(count)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        said = [process.communicate(timeout=max(1.0, setup.left_s))[1] for process in started]
    finally:
        for process in started:
            process.kill()
    if any(process.returncode for process in started):
        raise RankError("\n".join(words[-1500:] for words in said))
    found = [Path(f"{place / 'found'}.{rank}.json") for rank in range(count)]
    return [json.loads(each.read_text()) for each in found]


def trial_of(setup: Setup) -> tuple[Trial, Any]:
    """Returns a trial with look-aheads, and its folder."""
    prepared = opened(setup, "digits")
    # Forward mode takes a process seconds to load.
    trial = prepared.taught_by(setup.size(MKDConfig(interval=2, meta_fraction=0.5), KDConfig()))
    return trial, prepared.folder


def two_ranks(backend: str, setup: Setup) -> Found:
    """A trial of two ranks on one device, against the same trial alone."""
    if backend == "nccl" and setup.device == "cpu":
        return Found(None, {"skipped": "NCCL needs a GPU"})
    trial, folder = trial_of(setup)
    alone = curve(run_on(setup.device, trial, folder))
    try:
        ranks = run_processes(setup, backend, (trial, folder, setup.device), backend, 2)
    except RankError as error:
        if backend == "nccl" and SHARED_GPU in str(error):
            return Found(None, {"skipped": "NCCL allows one rank a GPU"})
        raise
    difference = max(differences(rank["curve"], alone) for rank in ranks)
    return Found(difference < TOLERANCE, {"difference": difference})


def side_by_side(setup: Setup) -> Found:
    """Four trials at once, against one: the same curves, and how much longer each takes."""
    trial, folder = trial_of(setup)
    epochs = setup.size(30, 1)
    trial = replace(trial, recipe=replace(trial.recipe, epochs=epochs))
    start = time.perf_counter()
    alone = curve(run_on(setup.device, trial, folder))
    alone_s = time.perf_counter() - start
    work = (trial, folder, setup.device)
    several = run_processes(setup, "several", work, "alone", setup.size(SIDE_BY_SIDE, 1))
    difference = max(differences(each["curve"], alone) for each in several)
    longer = max(each["seconds"] for each in several) / alone_s
    numbers = {"difference": difference, "times as long": longer, "at once": len(several)}
    return Found(difference < TOLERANCE, numbers)


CASES = {
    "two ranks, gloo": partial(two_ranks, "gloo"),
    "four trials": side_by_side,
    "two ranks, nccl": partial(two_ranks, "nccl"),
}

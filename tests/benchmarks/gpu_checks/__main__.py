"""Runs the cases of some checks in this process: a CUDA error ends no check of another one.

``python -m gpu_checks CHECKS RESULTS``, where CHECKS is a file of pickled names, each with its
``Setup``; each case is a line that is added to RESULTS.
"""

import importlib
import json
import pickle
import sys
import time
import traceback
import warnings
from pathlib import Path

import torch

from gpu_checks.case import Found, Setup

FOR_SPEED = ("speed", "packing", "study", "planner")


def run(check: str, setup: Setup, results: Path) -> None:
    """Writes a line for each case of a check, as it comes."""
    # Differences are to be those of the code: PyTorch rounds float32 convolutions to TF32, and
    # cuDNN may add up in another order each time.
    torch.backends.cudnn.allow_tf32 = check in FOR_SPEED
    torch.backends.cudnn.deterministic = check not in FOR_SPEED
    for name, case in importlib.import_module(f"gpu_checks.{check}").CASES.items():
        started, error = time.perf_counter(), None
        if setup.left_s <= 0:
            found = Found(None, {"skipped": "no time was left"})
        else:
            try:
                found = case(setup)
            except Exception:
                found, error = Found(False, {}), traceback.format_exc()
        line = {
            **{"check": check, "case": name, "ok": found.ok, "numbers": found.numbers},
            **{"seconds": round(time.perf_counter() - started, 2), "error": error},
        }
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")


def main(checks: Path, results: Path) -> None:
    """Runs the checks."""
    warnings.simplefilter("ignore")
    for check, setup in pickle.loads(checks.read_bytes()):
        run(check, setup, results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

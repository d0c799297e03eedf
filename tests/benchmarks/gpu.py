"""Checks metakd on a GPU: that it is right, how fast it is, and a study, in a few minutes.

Run it with ``python tests/benchmarks/gpu.py --minutes 8 --out DIR``, first without a GPU as
``--device cpu --tiny --minutes 2``. It needs PyTorch, timm, NumPy, pandas, PyArrow, SciPy and
scikit-learn alone. ``DIR/results.jsonl`` gets a line for each case as it comes; a check that fails,
dies or takes too long ends no other one. ``docs/how-to/gpu.md`` says what is checked.
"""

import argparse
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "platform"))

from gpu_checks import SHARES  # noqa: E402 - metakd need not be installed
from gpu_checks.case import Setup  # noqa: E402
from one_line_parser import OneLineParser  # noqa: E402

from metakd.study.record import git_commit  # noqa: E402

GRACE_S = 5.0
"""So long after its time a check may still be in its last case."""
LEAST_S = 30.0
"""A check may take so long, be the whole time ever so short: imports alone take seconds."""
LOG_CHARACTERS = 2000


def header(device: str) -> dict[str, Any]:
    """Returns what all numbers depend on."""
    on_gpu = device == "cuda"
    return {
        "check": "header",
        "chip": torch.cuda.get_device_name() if on_gpu else "CPU",
        "memory_gib": round(torch.cuda.mem_get_info()[1] / 2**30, 1) if on_gpu else None,
        "cpus": os.cpu_count(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": sys.version.split()[0],
        "commit": git_commit(),
    }


def write(place: Path, line: dict[str, Any]) -> None:
    """Adds a line to the results."""
    with place.open("a") as results:
        results.write(json.dumps(line) + "\n")


def run_checks(checks: list[tuple[str, Setup]], results: Path) -> None:
    """Runs checks in a process of their own, which adds their lines to the results."""
    names, setups = zip(*checks, strict=True)
    started, out = time.time(), setups[0].out
    place, log = setups[0].work / "checks.pickle", out / f"{names[0]}.log"
    place.write_bytes(pickle.dumps(checks))
    paths = [str(HERE), str(ROOT / "platform"), os.environ.get("PYTHONPATH", "")]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gpu_checks", str(place), str(results)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = process.wait(max(0.0, setups[-1].left_s) + GRACE_S)
            error = f"ended with code {code}" if code != 0 else None
        except subprocess.TimeoutExpired:
            error = "took longer than it may, and was ended"
        finally:
            # With what it started itself.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if error is not None:
        tail = log.read_text(errors="replace")[-LOG_CHARACTERS:]
        line = {"check": ", ".join(names), "case": None, "ok": False, "numbers": {}}
        seconds = round(time.time() - started, 2)
        write(results, {**line, "seconds": seconds, "error": f"{tail}\n{error}"})


def show(line: dict[str, Any]) -> None:
    """Prints a line of the results for a reader."""
    words = {True: "ok", False: "FAILED", None: "-"}[line["ok"]]
    numbers = ", ".join(f"{name} {value}" for name, value in line["numbers"].items())
    error = (line["error"] or "").strip().splitlines()[-1:]
    name = f"{line['check']}: {line['case']}"
    print(f"{words:7}{line['seconds']:7.1f} s  {name}  {numbers} {' '.join(error)}", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Returns the options, or ends the process with one line about what cannot be."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--minutes", type=float, default=8.0, help="all checks together, default %(default)s")
    add("--out", type=Path, required=True, help="the folder of the results")
    add("--device", choices=("cuda", "cpu"), default="cuda")
    add("--tiny", action="store_true", help="the sizes of a rehearsal")
    add("--data", type=Path, help="a folder with cifar10 and cifar100; else pictures are made up")
    add("--only", nargs="+", choices=tuple(SHARES), default=tuple(SHARES), help="some checks")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no GPU here")
    if not options.minutes > 0:
        parser.error(f"--minutes must be above 0, got {options.minutes:g}")
    if options.data is not None and not options.data.is_dir():
        parser.error(f"--data {options.data}: there is no such folder")
    return options


def setup_of(check: str, options: argparse.Namespace, work: Path, end: float) -> Setup:
    """Returns where and how a check is run that begins now, or, tiny, with the others."""
    until, whole_s = end, 60 * options.minutes
    if not options.tiny:
        if check == "study":
            later = options.only[options.only.index(check) + 1 :]
            until -= sum(max(LEAST_S, whole_s * SHARES[name]) for name in later)
        until = min(until, time.time() + max(LEAST_S, whole_s * SHARES[check]))
    data = None if options.data is None else options.data.absolute()
    return Setup(options.device, options.tiny, options.out.absolute(), work, data, until)


def main() -> int:
    """Runs the checks; returns 1 if one failed."""
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out.absolute() / "results.jsonl"
    results.unlink(missing_ok=True)
    end = time.time() + 60 * options.minutes
    head = header(options.device)
    write(results, head)
    print(head, flush=True)
    seen = 1
    with tempfile.TemporaryDirectory() as work:
        for names in [[*options.only]] if options.tiny else [[name] for name in options.only]:
            setups = [setup_of(name, options, Path(work), end) for name in names]
            run_checks(list(zip(names, setups, strict=True)), results)
            lines = [json.loads(line) for line in results.read_text().splitlines()]
            for line in lines[seen:]:
                show(line)
            seen = len(lines)
    failed = sum(line.get("ok") is False for line in lines)
    print(f"{seen - 1} lines in {results}, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

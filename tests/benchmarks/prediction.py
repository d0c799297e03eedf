"""What a plan predicts of a study, against what the study then takes.

``python tests/benchmarks/prediction.py`` plans three studies here and runs each on a Ray of its
own: digits, and with ``--data FOLDER`` (that holds ``cifar10/`` and ``cifar100/`` as Parquet files)
one of each of those. Of time, work, memory and disk it prints the predicted number, the measured
one, and their ratio; the goal is a time within 25 %. Beside them stands where the time of the
study's workers went, as ``study_efficiency.py`` has it.

Work is what jobs held their workers for: trials, teachers and banks. Memory is the largest sum over
all processes, each shared page counted once (the sum of their proportional set sizes).
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from measured import ROOT, Row, repeated, write_result
from one_line_parser import OneLineParser, add_json_option
from study_efficiency import efficiency
from study_times import read_times
from worker_time import BANKS, BESIDE, COMPUTE, TEACHERS

from metakd.data.datasets import open_dataset
from metakd.machine import usable_cpus
from metakd.study.command_line import parse
from metakd.study.curves import Curves
from metakd.study.estimate import Estimate
from metakd.study.machines import machines_here
from metakd.study.plan import make_plan
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder

SCRIPT = ROOT / "studies" / "grid_vs_meta.py"
STUDIES = {
    "tiny": "--strategies ce fixed --scales 0.1 1 --augmentations none --seeds 1 --epochs 5 "
    "--teacher-epochs 2",
    "digits": "--seeds 3",
    "cifar10": "--dataset parquet:{data}/cifar10 --scales 0.02 0.1 --augmentations standard "
    "--strategies ce fixed grid meta --temperatures 2 4 8 --seeds 2 --epochs 10 --teacher-epochs 4",
    "cifar100": "--preset cifar100 --dataset parquet:{data}/cifar100 --seeds 3 --teacher-epochs 4",
}
WORK = (COMPUTE, BESIDE, TEACHERS, BANKS)
MEMORY_INTERVAL_S = 2.0
MIB = 2**20


def predicted(words: Sequence[str], place: Path) -> Estimate:
    """Returns what a plan predicts on this machine."""
    spec, options = parse(StudySpec("grid_vs_meta"), [*words, "--out", str(place / "planned")])
    folder = StudyFolder((place / "planned").absolute())
    datasets = [open_dataset(name, folder.datasets, options.data) for name in spec.datasets]
    plan = make_plan(spec, datasets, options.banks)
    scheduler = Scheduler(Curves(folder, ()), searches_of(plan))
    return machines_here().estimate(plan, scheduler, plan.teachers, options.wanted)


def measured(words: Sequence[str], place: Path) -> tuple[Estimate, list[Row]]:
    """Runs the study, and returns what it took, and where its workers' time went."""
    command = [sys.executable, str(SCRIPT), "--cluster", "local", "--out", "out", *words]
    began = time.monotonic()
    study = subprocess.Popen(command, cwd=place, stdout=sys.stderr)
    with _memory_of(study.pid) as sizes:
        code = study.wait()
    wall_s = time.monotonic() - began
    if code != 0:
        raise SystemExit(f"the study failed with code {code}: {shlex.join(words)}")
    out = place / "out"
    times = read_times(out)
    workers = {times.trials[0].host: usable_cpus()}
    divided = efficiency(times, workers)
    shares = {row.what: row.value for row in divided}
    held = sum(shares[kind] for kind in WORK) / 100 * (times.ended - times.began) * usable_cpus()
    kept = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return Estimate(wall_s, held, max(sizes), kept), divided


@contextmanager
def _memory_of(pid: int) -> Iterator[list[int]]:
    """Yields a list that grows by the bytes of a process and its children, every two seconds."""
    import psutil

    root, sizes = psutil.Process(pid), [0]

    def look() -> None:
        size = 0
        try:
            processes = [root, *root.children(recursive=True)]
        except psutil.Error:
            return
        for each in processes:
            try:
                size += each.memory_full_info().pss
            except psutil.Error:
                continue
        sizes.append(size)

    with repeated(look, MEMORY_INTERVAL_S):
        yield sizes


def compared(name: str, before: Estimate, after: Estimate) -> list[Row]:
    """Returns rows of what was measured, each with the predicted number over it as its ratio."""
    pairs = (
        ("time on the clock", before.wall_s, after.wall_s, "s"),
        ("work", before.device_s, after.device_s, "CPU-s"),
        ("memory", before.memory_bytes / MIB, after.memory_bytes / MIB, "MiB"),
        ("disk", before.disk_bytes / MIB, after.disk_bytes / MIB, "MiB"),
    )
    return [
        row
        for what, said, found, unit in pairs
        for row in (
            Row(f"{name}, {what}, predicted", said, unit, said / found),
            Row(f"{name}, {what}, measured", found, unit, 1.0),
        )
    ]


def parse_arguments() -> argparse.Namespace:
    """Returns the options, or ends the process with one line about what cannot be."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", nargs="+", choices=tuple(STUDIES), default=["digits"])
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="that holds cifar10/ and cifar100/"
    )
    add_json_option(parser)
    options = parser.parse_args()
    for name in options.studies:
        if "{data}" in STUDIES[name] and not (options.data and (options.data / name).is_dir()):
            parser.error(f"--studies {name} needs --data FOLDER, which holds {name}/")
    return options


def main() -> None:
    """Measures, prints the table and writes the numbers."""
    options = parse_arguments()
    rows: list[Row] = []
    for name in options.studies:
        data = options.data.absolute() if options.data else ""
        words = shlex.split(STUDIES[name].format(data=data))
        with TemporaryDirectory() as folder:
            place = Path(folder)
            before, (after, divided) = predicted(words, place), measured(words, place)
        found = compared(name, before, after)
        found += [replace(row, what=f"{name}, {row.what}") for row in divided]
        for row in found:
            ratio = "" if row.ratio in (1.0, None) else f"{row.ratio:8.2f} of the measured"
            print(f"{row.what:56}{row.value:10.1f} {row.unit:6}{ratio}", flush=True)
        rows += found
    if options.json is not None:
        write_result(options.json, "prediction", rows)


if __name__ == "__main__":
    main()

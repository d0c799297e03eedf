"""How much of a study's time its students compute, and where the rest of it goes.

``python tests/benchmarks/study_efficiency.py --study digits`` runs the study of ``make study`` in a
temporary folder, on a Ray of its own; ``--store DIR`` reads a study that was run. The measure is

    student compute / (wall-clock × workers)

after the cluster is up: the sum of ``student_compute_s`` over all trials, over the time from the
first job's beginning to the last trial's end (``ended``) times the number of workers, one student
each. The first job is the earliest of: a teacher's training (``train_s`` before ``teacher.json``
was written), a bank (when its ``about.json`` was written), a trial (``started``). What is not
student compute is divided as ``worker_time.py`` says, in percent of workers × wall-clock: all of it
adds up to 100. Of a trial that goes on from another one's state, only its own epochs count.

A teacher counts for one worker, as on machines without a GPU and with up to 4 CPUs; elsewhere it is
trained before all else by the whole cluster, and the other workers seem to wait for it. The study
has to have run in one go, and trials that failed look like gaps.

The overhead of a trial is ``wall_s`` − ``student_compute_s``: opening its data, validation after
each epoch, the test set, kept states and weights.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from measured import ROOT, Row, spread_of, write_result
from one_line_parser import OneLineParser, add_json_option
from study_times import Job, StudyTimes, TimesError, read_times
from worker_time import BETWEEN, busy_at_most, divide

from metakd.machine import usable_cpus
from metakd.results.study import StoreError

SCRIPT = ROOT / "studies" / "grid_vs_meta.py"
STUDIES = {
    "tiny": "--strategies ce fixed --scales 0.1 1 --augmentations none --seeds 1 --epochs 5 "
    "--teacher-epochs 2",
    "short": "--strategies ce fixed --seeds 2",
    "digits": "--until-decided --margin 0.5 --strategies ce fixed grid meta --seeds 4 "
    "--looks 1 2 4 --max-hours 0.15",
    "cifar10": "--scales 0.02 --augmentations standard --strategies ce fixed grid meta --seeds 3 "
    "--teacher-epochs 8",
}
"""Words after ``grid_vs_meta.py``; those of ``digits`` are the words of ``make study``."""
SHARE = "% of workers × wall-clock"


def run_study(words: Sequence[str], place: Path) -> tuple[Path, float, float]:
    """Runs a study on a Ray of its own; what it prints goes to the errors.

    Args:
        words: After ``grid_vs_meta.py``.
        place: An empty folder.

    Returns:
        The study's folder, and when the command began and ended.
    """
    command = [sys.executable, str(SCRIPT), "--cluster", "local", "--out", "out", *words]
    began = time.time()
    code = subprocess.run(command, cwd=place, stdout=sys.stderr, check=False).returncode
    if code != 0:
        raise SystemExit(f"the study failed with code {code}: {shlex.join(words)}")
    return place / "out", began, time.time()


def efficiency(times: StudyTimes, workers: dict[str, int]) -> list[Row]:
    """Returns where the workers' time went, in percent, and how long it was."""
    divided = divide(times, workers)
    wall_s, count = times.ended - times.began, sum(workers.values())
    rows = [
        Row(kind, 100 * sum(pieces) / (wall_s * count), SHARE) for kind, pieces in divided.items()
    ]
    between = divided[BETWEEN] or [0.0]
    return [
        *rows,
        Row("workers", count, "workers"),
        Row("trials", len(times.trials), "trials"),
        Row("wall-clock after the cluster is up", wall_s, "s"),
        Row(f"{BETWEEN}, median", statistics.median(between), "s"),
        Row(f"{BETWEEN}, longest", max(between), "s"),
    ]


def overheads(trials: Sequence[Job]) -> list[Row]:
    """Returns what a trial takes beside its student's compute, by scale: medians of all trials."""
    by_scale: dict[float, list[Job]] = defaultdict(list)
    for trial in trials:
        by_scale[trial.scale].append(trial)
    rows = []
    for scale, group in sorted(by_scale.items()):
        what = f"overhead of a trial, scale {scale:g}, {len(group)} trials"
        seconds = [trial.seconds - trial.compute_s for trial in group]
        median = statistics.median(seconds)
        rows.append(Row(f"{what}, median", median, "s", spread=spread_of(seconds)))
        shares = [100 * own / trial.seconds for own, trial in zip(seconds, group, strict=True)]
        rows.append(Row(f"{what}, share", statistics.median(shares), "% of the trial"))
    return rows


def table(rows: Sequence[Row]) -> str:
    """Returns the rows, those that add up to 100 with their sum."""
    lines = []
    for row in rows:
        number = f"{row.value:10d}" if isinstance(row.value, int) else f"{row.value:10.2f}"
        lines.append(f"{row.what:56}{number} {row.unit}")
        is_last_share = row.unit == SHARE and rows[rows.index(row) + 1].unit != SHARE
        if is_last_share:
            total = sum(each.value for each in rows if each.unit == SHARE)
            lines.append(f"{'sum':56}{total:10.2f} {SHARE}")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Returns the options, or ends the process with one line about what cannot be."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--study", choices=tuple(STUDIES), default="digits", help="which to run (%(default)s)")
    add("--data", metavar="PATH", help="of cifar10: a folder with its Parquet files")
    add("--store", type=Path, metavar="DIR", help="read this study instead")
    add("--workers", type=int, help="of each machine; default: as many as were busy at once")
    add("--rows", choices=("all", "study", "trial"), default="all", help="which to print")
    add_json_option(parser)
    options = parser.parse_args()
    if options.store is not None and not options.store.is_dir():
        parser.error(f"--store {options.store}: there is no such folder")
    is_cifar10 = options.store is None and options.study == "cifar10"
    if is_cifar10 and not (options.data and Path(options.data).is_dir()):
        parser.error("--study cifar10 needs --data PATH, a folder with its Parquet files")
    if options.workers is not None and options.workers < 1:
        parser.error("--workers must be at least 1")
    return options


def measure(options: argparse.Namespace, place: Path) -> list[Row]:
    """Runs or reads the study, and returns the rows that the options name.

    Raises:
        TimesError: If the store does not say when its jobs ran.
        StoreError: If it cannot be read.
    """
    around = []
    if options.store is not None:
        times = read_times(options.store)
    else:
        words = shlex.split(STUDIES[options.study])
        if options.study == "cifar10":
            words += ["--dataset", f"parquet:{Path(options.data).absolute()}"]
        out, began, ended = run_study(words, place)
        times = read_times(out)
        around = [
            Row("from the command to the first job", times.began - began, "s"),
            Row("from the last trial to the command's end", ended - times.ended, "s"),
        ]
    workers = busy_at_most(times)
    if options.workers is not None:
        workers = dict.fromkeys(workers, options.workers)
    elif options.store is None:
        # So many it had, were they busy at once or not.
        workers = {host: max(count, usable_cpus()) for host, count in workers.items()}
    rows = [] if options.rows == "trial" else [*efficiency(times, workers), *around]
    return rows if options.rows == "study" else [*rows, *overheads(times.trials)]


def main() -> None:
    """Measures, prints the table and writes the numbers."""
    options = parse_arguments()
    try:
        with TemporaryDirectory() as place:
            rows = measure(options, Path(place))
    except (TimesError, StoreError) as error:
        sys.stderr.write(f"{Path(__file__).name}: {error}\n")
        raise SystemExit(2) from error
    source = f"store {options.store.name}" if options.store is not None else options.study
    print(f"study: {source}\n{table(rows)}")
    if options.json is not None:
        part = "trial" if options.rows == "trial" else "study"
        write_result(options.json, part, rows, study=source)


if __name__ == "__main__":
    main()

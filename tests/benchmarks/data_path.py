"""What data and teacher cost beside a student's own compute, in images per second, side by side.

Run it with ``python tests/benchmarks/data_path.py --dataset parquet:PATH/TO/CIFAR10``; without a
dataset it makes up pictures of CIFAR's shape.

Every row trains the same student by the same distillation loss and optimiser:

- compute only: on tensors that lie in memory, the same batch over and over;
- bank: our loop, with views and the teacher's logits from the bank;
- bank, logits only: the same, with views made on the way;
- live: our loop, with views made and the teacher asked on the way;
- plain loop: a Dataset of PIL images, torchvision's transforms, a DataLoader with two workers and
  the teacher in the loop, as mdistiller and RepDistiller do it.

In each round every row takes the same number of steps; a ratio compares rows of the same round, and
the table has their median, the least and the greatest. Each row has the threads that ``--threads``
gives it; the DataLoader's workers come on top.

Then the whole machine: several processes at once, each with a student of its own, and what they
hold of the bank; the plain loop also alone with all cores, as PyTorch takes them by default.
"""

import argparse
import gc
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import measured
from data_path_loops import BANK, COMPUTE, PLAIN, ROWS, Case, Setup, make, prepare
from one_line_parser import OneLineParser, add_json_option
from process_memory import MEMORY, memory_of

CIFAR_LIKE = "synthetic:samples=12000"


@dataclass
class Row:
    """Seconds of each round's steps."""

    name: str
    seconds: list[float] = field(default_factory=list)


def measure(setup: Setup, rounds: int) -> list[Row]:
    """Times all rows in turn, after a round that is not counted."""
    rows = [Row(name) for name in ROWS]
    for round_ in range(-1, rounds):
        for row in rows:
            steps = make(setup, row.name)
            gc.collect()
            started = time.perf_counter()
            steps()
            if round_ >= 0:
                row.seconds.append(time.perf_counter() - started)
    return rows


def at_once(case: Case, row: str, processes: int) -> dict[str, float]:
    """Runs a row in several processes; returns their images/s and memory in MiB, all together."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "metakd.train.inputs"])  # imported once
    ready, queue = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=_one_of_many, args=(case, row, ready, queue))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    images = case.batch * case.steps
    return {
        "images_per_s": sum(images / one["seconds"] for one in found),
        **{name: sum(one[name] for one in found) for name in MEMORY},
    }


def _one_of_many(
    case: Case, row: str, ready: Barrier, queue: "multiprocessing.Queue[dict[str, float]]"
) -> None:
    setup = Setup(case)
    make(setup, row)()
    steps = make(setup, row)
    ready.wait()
    started = time.perf_counter()
    steps()
    seconds = time.perf_counter() - started
    ready.wait()
    memory = memory_of(case.cache / "banks")
    ready.wait()
    queue.put({"seconds": seconds, **memory})


def table(case: Case, rows: Sequence[Row]) -> str:
    """Returns images per second and time ratios."""
    lines = [
        f"{case.student} taught by {case.teacher}, {case.dataset}, {case.augmentation}, "
        f"batch {case.batch}, {case.threads} thread(s)",
        f"{'':20}{'images/s':>10}{'time / compute only':>32}{'plain loop / time':>20}",
    ]
    by_name = {row.name: row for row in rows}
    for row in rows:
        pace = case.batch * case.steps / statistics.median(row.seconds)
        to_compute = ratios(row, by_name[COMPUTE])
        spread = f"{min(to_compute):.3f}..{max(to_compute):.3f}"
        gain = statistics.median(ratios(by_name[PLAIN], row))
        lines.append(
            f"{row.name:20}{pace:10.0f}{statistics.median(to_compute):16.3f}{spread:>16}{gain:20.2f}"
        )
    return "\n".join(lines)


def rows_of(
    case: Case, rows: Sequence[Row], machine: dict[str, dict[str, float]]
) -> Iterator[measured.Row]:
    """Yields a case's numbers in the form of all benchmarks; ratios are to the compute alone."""
    for row in rows:
        ms = [1e3 * seconds / case.steps for seconds in row.seconds]
        what = f"{case.augmentation}: {row.name}"
        yield measured.Row.of(what, ms, "ms/step", ratios(row, rows[0]))
    for name, found in machine.items():
        yield measured.Row(f"{case.augmentation}: {name}", found["images_per_s"], "images/s")
        # Not every system says how memory is shared.
        for kind in (kind for kind in MEMORY if math.isfinite(found[kind])):
            yield measured.Row(f"{case.augmentation}: {name}, {kind}", found[kind], "MiB")


def ratios(row: Row, other: Row) -> list[float]:
    """Returns a row's time over another's, round by round."""
    return [mine / its for mine, its in zip(row.seconds, other.seconds, strict=True)]


def parse_arguments() -> argparse.Namespace:
    """Returns the options."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--dataset", default=CIFAR_LIKE, help="default %(default)s")
    add("--samples", type=int, default=10_000, help="training images, default %(default)s")
    add("--student", default="cifar_resnet20")
    add("--teacher", default="cifar_resnet56")
    add("--augmentations", nargs="+", default=["standard"], choices=("none", "standard", "strong"))
    add("--batch", type=int, default=64)
    add("--steps", type=int, default=12, help="of each row in a round, default %(default)s")
    add("--rounds", type=int, default=5)
    add("--threads", type=int, default=1)
    add("--cache", type=Path, default=None, help="keeps dataset and bank; default: a new folder")
    add_json_option(parser)
    options = parser.parse_args()
    if min(options.samples, options.batch, options.steps, options.rounds, options.threads) < 1:
        parser.error("--samples, --batch, --steps, --rounds and --threads must be at least 1")
    return options


def main() -> None:
    """Measures, prints the tables and writes the numbers."""
    options = parse_arguments()
    found_rows: list[measured.Row] = []
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for augmentation in options.augmentations:
            case = Case(
                options.dataset,
                options.student,
                options.teacher,
                augmentation,
                options.batch,
                options.samples,
                options.steps,
                options.threads,
                (options.cache or Path(temporary)).absolute(),
            )
            prepare(case)
            rows = measure(Setup(case), options.rounds)
            print(table(case, rows), flush=True)
            cores = os.cpu_count() or 1
            machine = {
                f"{row}, {processes} at once, {threads} thread(s)": at_once(
                    replace(case, threads=threads), row, processes
                )
                for row, processes, threads in (
                    (BANK, 1, 1),
                    (BANK, 4, 1),
                    (BANK, cores, 1),
                    (PLAIN, cores, 1),
                    (PLAIN, 1, cores),
                )
            }
            for name, found in machine.items():
                print(
                    f"{name:36}{found['images_per_s']:8.0f} images/s{found['own_mib']:8.0f} MiB own"
                    f"{found['bank_mib']:8.1f} MiB of the bank, "
                    f"mapped {found['bank_mapped_mib']:.1f} MiB",
                    flush=True,
                )
            found_rows += rows_of(case, rows, machine)
            cases.append(
                {
                    **{k: str(v) if isinstance(v, Path) else v for k, v in asdict(case).items()},
                    "rows": [asdict(row) for row in rows],
                    "machine": machine,
                }
            )
    if options.json is not None:
        measured.write_result(options.json, "data_path", found_rows, cases=cases)


if __name__ == "__main__":
    main()

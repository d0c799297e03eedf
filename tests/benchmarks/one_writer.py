"""What the driver's commits take: 256 workers, a trial a second each.

Run it with ``python tests/benchmarks/one_writer.py``: a minute, and no cluster. Each finished trial
is a row and a curve, made up and pickled, as it arrives from a worker. Side by side:

- ``one by one``: every trial is committed alone, as two files of its own;
- ``together``: whatever waits is committed as one part of the store, as the driver does;
- ``unpickle``: what the driver pays to receive trials, included in both.

First each way writes as fast as it can, which gives trials a second. Then trials arrive at their
pace, and each waits until the commit that holds it is on disk.
"""

import os
import pickle
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import measured
import numpy as np
from made_up_trials import MadeUp
from one_line_parser import OneLineParser, add_json_option

from metakd.results.reader import finished_trials, read_steps
from metakd.results.writer import FinishedTrial, finished_trial, write_trials


@dataclass(frozen=True)
class Found:
    """What one way of writing measured.

    Attributes:
        trials_per_s: As fast as it can.
        cpu_ms: CPU time of a trial, then.
        wait_p50_s: From a trial's arrival until it is on disk, the median.
        wait_max_s: The longest.
        behind: Trials that waited when the last one arrived.
        files: Files that it left.
    """

    trials_per_s: float
    cpu_ms: float
    wait_p50_s: float
    wait_max_s: float
    behind: int
    files: int


def arrivals(trials: int, epochs: int) -> list[bytes]:
    """Returns made-up trials as they arrive."""
    made = (MadeUp(0, 0, 0, None, seed) for seed in range(trials))
    return [pickle.dumps(finished_trial(m.row(epochs), list(m.curve(epochs)))) for m in made]


def commit(out: Path, packed: Sequence[bytes]) -> None:
    """Commits trials together."""
    write_trials(out, list(unpickled(packed)))


def unpickled(packed: Iterable[bytes]) -> Iterator[FinishedTrial]:
    """Yields trials."""
    for each in packed:
        trial: FinishedTrial = pickle.loads(each)
        yield trial


def flat_out(out: Path, packed: Sequence[bytes], at_once: int) -> tuple[float, float]:
    """Returns trials a second, and CPU milliseconds of one, where all have arrived."""
    began, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(packed), at_once):
        commit(out, packed[start : start + at_once])
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    require_all(out, len(packed))
    return len(packed) / seconds, 1000 * cpu_s / len(packed)


def paced(
    out: Path, packed: Sequence[bytes], per_s: float, at_most: int
) -> tuple[list[float], int]:
    """Writes trials that arrive so many a second.

    Args:
        out: Where.
        packed: The trials.
        per_s: Trials a second.
        at_most: So many are written at once.

    Returns:
        The seconds that each waited, and how many were waiting when the last one arrived.
    """
    began = time.perf_counter()
    waits: list[float] = []
    behind = -1
    while len(waits) < len(packed):
        now = time.perf_counter() - began
        arrived = min(len(packed), int(now * per_s))
        if arrived == len(packed) and behind < 0:
            behind = arrived - len(waits)
        batch = packed[len(waits) : min(arrived, len(waits) + at_most)]
        if not batch:
            time.sleep(0.5 / per_s)
            continue
        commit(out, batch)
        done = time.perf_counter() - began
        waits += [
            done - (number + 1) / per_s for number in range(len(waits), len(waits) + len(batch))
        ]
    require_all(out, len(packed))
    return waits, behind


def require_all(out: Path, trials: int) -> None:
    """Checks that the store has as many trials, each with its curve."""
    curves = read_steps(out, columns=["step"])["trial_id"].unique()
    if not len(finished_trials(out)) == len(curves) == trials:
        raise RuntimeError(f"{out} lacks some of {trials} trials")


def measure(packed: Sequence[bytes], per_s: float, batch: int) -> Found:
    """Measures one way of writing, in new folders."""
    with tempfile.TemporaryDirectory() as place:
        fast, slow = Path(place, "fast"), Path(place, "slow")
        rate, cpu_ms = flat_out(fast, packed, batch)
        waits, behind = paced(slow, packed, per_s, batch)
        files = sum(1 for file in slow.rglob("*.parquet"))
    return Found(rate, cpu_ms, float(np.median(waits)), max(waits), behind, files)


def unpickle_rate(packed: Sequence[bytes]) -> float:
    """Returns trials a second that one process receives and does not write."""
    began = time.perf_counter()
    for _ in unpickled(packed):
        pass
    return len(packed) / (time.perf_counter() - began)


def rows_of(name: str, found: Found) -> Iterator[measured.Row]:
    """Yields what was measured of one way of writing."""
    yield measured.Row(f"{name}: as fast as it can", found.trials_per_s, "trials/s")
    yield measured.Row(f"{name}: CPU time", found.cpu_ms, "ms/trial")
    yield measured.Row(f"{name}: wait at its pace, median", found.wait_p50_s, "s")
    yield measured.Row(f"{name}: wait at its pace, longest", found.wait_max_s, "s")
    yield measured.Row(f"{name}: behind at the end", found.behind, "trials")
    yield measured.Row(f"{name}: files", found.files, "files")


def main() -> None:
    """Measures both ways, prints the table and writes the numbers."""
    parser = OneLineParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--workers", type=int, default=256)
    parser.add_argument("--seconds", type=int, default=20, help="how long trials arrive")
    parser.add_argument("--epochs", type=int, default=30, help="rows of a curve")
    add_json_option(parser)
    options = parser.parse_args()
    if min(options.workers, options.seconds, options.epochs) < 1:
        parser.error("--workers, --seconds and --epochs must be at least 1")
    packed = arrivals(options.workers * options.seconds, options.epochs)
    print(
        f"{options.workers} workers, {len(packed)} trials of {options.epochs} epochs, "
        f"{len(packed[0]) / 1000:.1f} kB each, {os.cpu_count()} CPUs"
    )
    unpickled_per_s = unpickle_rate(packed)
    print(f"{'unpickle':12} {unpickled_per_s:8.0f} trials/s")
    found = {
        "one by one": measure(packed, options.workers, 1),
        "together": measure(packed, options.workers, options.workers),
    }
    for name, each in found.items():
        print(
            f"{name:12} {each.trials_per_s:8.0f} trials/s, {each.cpu_ms:.2f} ms CPU; at "
            f"{options.workers}/s: waits {each.wait_p50_s:.2f} s, {each.wait_max_s:.2f} s at most, "
            f"{each.behind} behind, {each.files} files"
        )
    if options.json is not None:
        rows = [measured.Row("unpickle", unpickled_per_s, "trials/s")]
        rows += [row for name, each in found.items() for row in rows_of(name, each)]
        more = {name: asdict(each) for name, each in found.items()}
        measured.write_result(options.json, "store", rows, **more)


if __name__ == "__main__":
    main()

"""What learning temperatures costs: steps of a student with and without it, side by side.

Run it with ``python tests/benchmarks/meta_step.py --models resnet20 --batches 64``.

Every row trains the same student on the same random batch, with the teacher's logits given, and is
timed in turn with the others: in each round 8 steps, which hold one look-ahead of an interval of 8,
or 2 where every step has one. A ratio compares a row with the plain step of the same round; the
table has the median of the rounds, the least and the greatest. Memory is what these steps need at
their peak beyond the student and its data: allocated memory on a GPU, resident memory of a process
of its own on a CPU.

The rivals differentiate first and take the real step afterwards, at the moved temperatures, as such
code is written: 1.00 of their ratio is that step.
"""

import argparse
import gc
import importlib.util
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, AdamW

if importlib.util.find_spec("metakd") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "platform"))

import measured
from one_line_parser import OneLineParser, add_json_option
from process_memory import peak_bytes, reset_peak
from rivals import ALPHA, CLASSES, IMAGE_SHAPE, RIVALS, Task, learning_step

from metakd.core import MetaTemperature
from metakd.core.losses import distillation_loss
from metakd.models.create import create_model
from metakd.models.names import ModelError

MODELS = {"resnet20": "cifar_resnet20", "vit_tiny": "timm:vit_tiny_patch16_224,patch_size=4"}
PLAIN, DEFAULT = "plain KD step", "MetaTemperature, default settings"
EVERY_STEP: dict[str, Any] = {"interval": 1, "meta_fraction": 1.0}
OURS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "JVP, every step, whole batch": EVERY_STEP,
    "JVP, every step, quarter batch": {**EVERY_STEP, "meta_fraction": 0.25},
    "JVP, every 8th step, whole batch": {**EVERY_STEP, "interval": 8},
    "finite difference, every step": {**EVERY_STEP, "estimator": "finite_difference"},
    "double backward, every step": {**EVERY_STEP, "estimator": "double_backward"},
}
ROWS = (PLAIN, *OURS, *RIVALS)

PRECISIONS = ("float32", "bf16")
WARM_UP = 2
TARGET = 1.10
MIB = 2**20

Step = Callable[[], None]

warnings.filterwarnings("ignore", ".*torch.jit.script.*", FutureWarning)  # timm's imports


@dataclass(frozen=True)
class Case:
    """What is trained, and where.

    Attributes:
        model: One of ``MODELS``, or any name that ``create_model`` knows.
        batch: Samples of a batch, B.
        precision: float32, or bf16 for autocast.
        device: cpu or cuda.
        threads: Of PyTorch on a CPU.
    """

    model: str
    batch: int
    precision: str
    device: str
    threads: int

    def __str__(self) -> str:
        return f"{self.model}, batch {self.batch}, {self.precision}"

    @property
    def uses_adamw(self) -> bool:
        """Whether AdamW trains the student, as it does transformers; else SGD with momentum."""
        return "vit" in self.model

    def task(self, with_sgd: bool = False) -> Task:
        """Returns a new student before its first step, trained by SGD if that is asked for."""
        name = MODELS.get(self.model, self.model)
        student = create_model(name, IMAGE_SHAPE, CLASSES, seed=0).to(self.device)
        optimiser = (
            AdamW(student.parameters(), lr=1e-3, weight_decay=0.05)
            if self.uses_adamw and not with_sgd
            else SGD(student.parameters(), lr=0.01, momentum=0.9, nesterov=True)
        )
        return Task.of(student, optimiser, self.batch, in_bf16=self.precision == "bf16")


@dataclass
class Row:
    """What was measured of one way to train.

    Attributes:
        name: One of ``ROWS``.
        seconds: Per step of the student, for each round.
        ratios: To the plain step of the same round.
        memory_mib: At the peak, beyond the student and its data.
        memory_ratio: To that of the plain step.
        agrees_to: Relative difference of its hypergradient from ours; None where it is ours.
        missing: Why there are no numbers.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    memory_mib: float = 0.0
    memory_ratio: float = 0.0
    agrees_to: float | None = None
    missing: str | None = None

    @property
    def ratio(self) -> float:
        """The median ratio."""
        return statistics.median(self.ratios)

    def as_json(self) -> dict[str, Any]:
        """Returns everything; the median ratio is null where there are no numbers."""
        return {**asdict(self), "ratio": self.ratio if self.ratios else None}


def steps_of(name: str) -> int:
    """Returns how many steps of a row are timed: a whole interval, or two where all are alike."""
    settings = EVERY_STEP if name in RIVALS else OURS.get(name, {})
    return max(2, settings.get("interval", 8))


def make_step(case: Case, name: str) -> Step:
    """Returns a row's step of a new student."""
    if name in RIVALS:
        return learning_step(case.task(with_sgd=RIVALS[name].needs_sgd), RIVALS[name])
    task = case.task()
    if name == PLAIN:
        return partial(task.step, partial(plain_loss, task))
    return our_step(task, MetaTemperature(**OURS[name]).to(case.device))


def plain_loss(task: Task, logits: Tensor) -> Tensor:
    """Returns the loss of ordinary distillation at τ = 4."""
    return distillation_loss(logits, task.teacher_logits, task.labels, 4.0, 4.0, ALPHA).total


def our_step(task: Task, temps: MetaTemperature) -> Step:
    """Returns a step with learned temperatures, and the look-ahead where one is due."""
    temps.watch(task.student, task.optimiser)
    rows = temps.config.samples_of(len(task.inputs))

    def step() -> None:
        task.step(lambda logits: temps.loss(logits, task.teacher_logits, task.labels))
        temps.meta_step(task.meta_inputs[:rows], task.meta_labels[:rows])

    return step


def empty_rows() -> list[Row]:
    """Returns all rows, with how far the rivals are from us, or why they are missing."""
    rows = [Row(name) for name in ROWS]
    for row in rows:
        if row.name in RIVALS:
            row.missing = RIVALS[row.name].why_missing()
            row.agrees_to = None if row.missing else RIVALS[row.name].disagreement()
    return rows


def measure(case: Case, rows: Sequence[Row], rounds: int) -> None:
    """Fills in the rows of a case, each timed in so many rounds."""
    present = [row for row in rows if row.missing is None]
    time_in_turn(case, present, rounds)
    for row in present:
        row.memory_mib = memory_of(case, row.name)
        row.memory_ratio = row.memory_mib / max(rows[0].memory_mib, 1.0)
        print(f"{case}: {row.name} takes {row.ratio:.2f}", file=sys.stderr)


def time_in_turn(case: Case, rows: Sequence[Row], rounds: int) -> None:
    """Times the rows in turn, so that a slow spell of the machine hits all of them."""
    steps = [make_step(case, row.name) for row in rows]
    for step in steps:
        seconds_per_step(step, WARM_UP, case.device)
    for _ in range(rounds):
        for row, step in zip(rows, steps, strict=True):
            step()  # after another row's, it finds cold caches
            row.seconds.append(seconds_per_step(step, steps_of(row.name), case.device))
            row.ratios.append(row.seconds[-1] / rows[0].seconds[-1])


def seconds_per_step(step: Step, steps: int, device: str) -> float:
    """Takes some steps and returns the seconds of one."""
    gc.collect()  # what the row before left behind is not this row's
    wait = torch.cuda.synchronize if device == "cuda" else torch.cpu.synchronize
    wait()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    wait()
    return (time.perf_counter() - start) / steps


def memory_of(case: Case, name: str) -> float:
    """Returns the MiB that a row needs beyond the student and its data."""
    if case.device == "cuda":
        return peak_memory(case, name)
    # Freed tensors go back to the system at once, so that resident memory is that of live ones.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo"])  # a first step imports it, for seconds
    receiver, sender = context.Pipe(duplex=False)
    fresh_process = context.Process(target=send_peak_memory, args=(sender, case, name))
    fresh_process.start()
    sender.close()  # so that a process that dies ends the wait
    found: float = receiver.recv()
    fresh_process.join()
    return found


def send_peak_memory(sender: Connection, case: Case, name: str) -> None:
    """Sends ``peak_memory`` to another process."""
    sender.send(peak_memory(case, name))


def peak_memory(case: Case, name: str) -> float:
    """Takes a row's first steps and returns how many MiB they need at their peak."""
    torch.set_num_threads(case.threads)
    # Two samples load the code, which on a CPU is resident memory too.
    make_step(replace(case, batch=2), name)()
    step = make_step(case, name)
    gc.collect()
    before = reset_peak(case.device)
    seconds_per_step(step, 1 + steps_of(name), case.device)
    return (peak_bytes(case.device) - before) / MIB


def table(case: Case, rows: Sequence[Row]) -> str:
    """Returns a case's rows, and whether the default settings are as cheap as they should be."""
    head = ("", "ms/step", "ratio", "min..max", "MiB", "ratio", "agrees to")
    lines = [f"\n{case}", "{:50}{:>9}{:>7}{:>13}{:>8}{:>7}{:>11}".format(*head)]
    for row in rows:
        note = ", SGD" if row.name in RIVALS and RIVALS[row.name].needs_sgd else ""
        label = row.name + (note if case.uses_adamw else "")
        if row.missing is not None:
            lines.append(f"{label:50}  {row.missing}")
            continue
        spread = f"{min(row.ratios):.2f}..{max(row.ratios):.2f}"
        agrees = "" if row.agrees_to is None else f"{row.agrees_to:.0e}"
        lines.append(
            f"{label:50}{1e3 * statistics.median(row.seconds):9.2f}{row.ratio:7.2f}{spread:>13}"
            f"{row.memory_mib:8.0f}{row.memory_ratio:7.2f}{agrees:>11}"
        )
    reached = rows[ROWS.index(DEFAULT)].ratio
    verdict = "reached" if reached <= TARGET else "missed"
    return "\n".join([*lines, f"target of {TARGET:.2f} {verdict}: {DEFAULT} take {reached:.3f}"])


def rows_of(case: Case, rows: Sequence[Row]) -> Iterator[measured.Row]:
    """Yields a case's numbers in the form of all benchmarks."""
    for row in (row for row in rows if row.missing is None):
        what, ms = f"{case}: {row.name}", [1e3 * seconds for seconds in row.seconds]
        yield measured.Row.of(what, ms, "ms/step", row.ratios)
        memory = row.memory_mib, "MiB", row.memory_ratio
        yield measured.Row(f"{what}, peak memory", *memory)


def parse_arguments() -> argparse.Namespace:
    """Returns the options, with what the device decides filled in."""
    parser = OneLineParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--models", nargs="+", default=[*MODELS], help=f"{', '.join(MODELS)}, or any of metakd's")
    add("--batches", nargs="+", type=int, help="default 64 128, on a GPU also 512")
    add("--repeats", type=int, default=3, help="rounds, default %(default)s")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--precision", nargs="+", choices=PRECISIONS, help="default float32, on a GPU both")
    add("--threads", type=int, default=1, help="of PyTorch on a CPU, default %(default)s")
    add_json_option(parser)
    options = parser.parse_args()

    has_gpu = torch.cuda.is_available()
    if options.device == "auto":
        options.device = "cuda" if has_gpu else "cpu"
    on_gpu = options.device == "cuda"
    options.batches = options.batches or ([64, 128, 512] if on_gpu else [64, 128])
    options.precision = options.precision or PRECISIONS[: 2 if on_gpu else 1]
    if on_gpu and not has_gpu:
        parser.error("--device cuda: PyTorch sees no GPU here")
    if min(options.batches) < 2 or min(options.repeats, options.threads) < 1:
        parser.error("--batches must be at least 2, --repeats and --threads at least 1")
    try:
        for model in options.models:
            create_model(MODELS.get(model, model), IMAGE_SHAPE, CLASSES, seed=0)
    except ModelError as error:
        parser.error(f"--models: {error}; short names are {', '.join(MODELS)}")
    return options


def main() -> None:
    """Measures every case, prints the tables and writes the numbers."""
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    empty = empty_rows()
    found: list[measured.Row] = []
    cases: list[dict[str, Any]] = []
    for model, batch, precision in product(options.models, options.batches, options.precision):
        case = Case(model, batch, precision, options.device, options.threads)
        rows = deepcopy(empty)
        measure(case, rows, options.repeats)
        print(table(case, rows), flush=True)
        found += rows_of(case, rows)
        cases += [{**asdict(case), **row.as_json()} for row in rows]
    if options.json is not None:
        gpu = torch.cuda.get_device_name() if options.device == "cuda" else None
        more = {"gpu": gpu, "target": TARGET, "cases": cases}
        measured.write_result(options.json, "meta_step", found, **more)


if __name__ == "__main__":
    main()

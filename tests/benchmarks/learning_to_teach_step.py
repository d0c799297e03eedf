"""What learning to teach costs: a teacher's gradient by our form, and by a graph through the pilot.

Run it with ``python tests/benchmarks/learning_to_teach_step.py``.

Every row does what one training step takes when a pilot precedes it, with the same student, teacher
and batches: the pilot, the quiz, the teacher's gradient. The last row is the published way, written
out by hand: a graph through the pilot's step and the teacher at once, and one backward pass through
all of it. Its gradient and ours are compared, in float64. Rows are timed in turn; a ratio compares
a row with plain distillation by a live teacher in the same round. Memory is the most that a process
of its own held above what it held before, for each row.
"""

import argparse
import importlib.util
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

if importlib.util.find_spec("metakd") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "platform"))

import measured
from step_options import (
    CLASSES,
    IMAGE_SHAPE,
    checked_options,
    measured_with,
    step_parser,
)

from metakd.core.batches import Batch
from metakd.core.distillers import MetaDistilConfig
from metakd.core.losses import distillation_loss
from metakd.models.create import create_model

LR = 0.05
PLAIN, DEFAULT, BY_HAND = (
    "plain KD, live teacher",
    "pilot, JVP",
    "pilot, graph through both, by hand",
)
ROWS: dict[str, MetaDistilConfig | None] = {
    PLAIN: None,
    DEFAULT: MetaDistilConfig(),
    "pilot, JVP on a quarter": MetaDistilConfig(meta_fraction=0.25),
    "pilot, double backward of the student": MetaDistilConfig(estimator="double_backward"),
    BY_HAND: None,
}


class Bench:
    """A student and its teacher before a step.

    Args:
        options: Models, batch, device.
        dtype: Of all numbers.
    """

    def __init__(self, options: argparse.Namespace, dtype: torch.dtype = torch.float32) -> None:
        def made(name: str, seed: int) -> nn.Module:
            model = create_model(name, IMAGE_SHAPE, CLASSES, seed=seed)
            return model.to(options.device, dtype)

        self.student, self.teacher = made(options.student, 0).train(), made(options.teacher, 1)
        self.teacher.eval()
        self.optimiser = torch.optim.SGD(self.student.parameters(), lr=LR)
        generator = torch.Generator().manual_seed(0)

        def batch() -> Batch:
            inputs = torch.randn(options.batch, *IMAGE_SHAPE, generator=generator)
            labels = torch.randint(CLASSES, (options.batch,), generator=generator)
            return Batch(inputs.to(options.device, dtype), labels.to(options.device), None)

        self.batch, self.quiz = batch(), batch()

    def plain(self) -> None:
        """Takes a step by the teacher as it is."""
        with torch.no_grad():
            teacher_logits = self.teacher(self.batch.inputs)
        self.optimiser.zero_grad()
        self._loss(self.student(self.batch.inputs), teacher_logits).backward()
        self.optimiser.step()

    def by_hand(self) -> tuple[Tensor, ...]:
        """Returns the teacher's gradient, through a graph of the pilot and the teacher."""
        theta = dict(self.student.named_parameters())
        taught_by = list(self.teacher.parameters())
        loss = self._loss(self.student(self.batch.inputs), self.teacher(self.batch.inputs))
        slopes = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
        moved = {
            name: value - LR * slope
            for (name, value), slope in zip(theta.items(), slopes, strict=True)
        }
        logits = functional_call(self.student, moved, (self.quiz.inputs,))
        return torch.autograd.grad(F.cross_entropy(logits, self.quiz.labels), taught_by)

    def pilot(self, config: MetaDistilConfig) -> Callable[[], None]:
        """Returns a pilot, after which the teacher has moved."""
        distiller = config.build()
        distiller.take_teacher(self.teacher)
        distiller.attach(self.student, self.optimiser)
        distiller.start_epoch(0, 1)
        quiz = self.quiz.first(config.samples_of(len(self.quiz.labels)))
        return lambda: distiller.pilot_step([self.batch], quiz) and None

    def _loss(self, logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return distillation_loss(logits, teacher_logits, self.batch.labels, 4.0, 4.0, 0.9).total


@dataclass
class Row:
    """What was measured of one way.

    Attributes:
        name: One of ``ROWS``.
        memory_mib: The most that it held above what it began with.
        seconds: Of a step with its pilot, for each round.
        ratios: To plain distillation of the same round.
    """

    name: str
    memory_mib: float = 0.0
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)


def step_of(bench: Bench, name: str) -> Callable[[], None]:
    """Returns what a row does in one training step."""
    config = ROWS[name]
    if name == PLAIN:
        return bench.plain
    if config is None:
        for parameter in bench.teacher.parameters():
            parameter.requires_grad_(True)

        def by_hand() -> None:
            bench.by_hand()
            bench.plain()

        return by_hand
    pilot = bench.pilot(config)

    def taught() -> None:
        pilot()
        bench.plain()

    return taught


def disagreement(options: argparse.Namespace) -> float:
    """Returns the largest relative difference of our gradient from that by hand, in float64."""
    bench = Bench(options, torch.float64)
    for module in bench.student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.track_running_stats = False
    expected = bench.by_hand()
    before = [parameter.detach().clone() for parameter in bench.teacher.parameters()]
    config = MetaDistilConfig(teacher_lr=1.0)
    bench.pilot(config)()
    after = [parameter.detach() for parameter in bench.teacher.parameters()]
    found = [old - new for old, new in zip(before, after, strict=True)]
    size = max(float(slope.abs().max()) for slope in expected)
    return max(
        float((one - other).abs().max()) / size for one, other in zip(found, expected, strict=True)
    )


def measure(options: argparse.Namespace) -> list[Row]:
    """Returns the rows, each timed in turn with the others, after a round that nobody counts."""
    rows = [Row(name, memory_of(options, name)) for name in ROWS]
    steps = [step_of(Bench(options), row.name) for row in rows]
    for number in range(options.rounds + 1):
        for row, step in zip(rows, steps, strict=True):
            seconds = seconds_of(step, options.device)
            print(f"round {number}: {row.name} takes {seconds:.3f} s", file=sys.stderr)
            if number:
                row.seconds.append(seconds)
                row.ratios.append(seconds / rows[0].seconds[-1])
    return rows


def seconds_of(step: Callable[[], None], device: str) -> float:
    """Runs a step and returns how long it took, on a CPU in seconds that the process had."""
    if device == "cpu":
        start = time.process_time()
        step()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def memory_of(options: argparse.Namespace, name: str) -> float:
    """Returns what a row holds at most, in MiB, measured in a process of its own."""
    words = [sys.executable, __file__, "--memory-of", name, "--student", options.student]
    words += ["--teacher", options.teacher, "--batch", str(options.batch)]
    words += ["--device", options.device, "--threads", str(options.threads)]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(found.stdout)


def print_memory(options: argparse.Namespace) -> None:
    """Prints what a row holds at most above what it began with, in MiB."""
    step = step_of(Bench(options), options.memory_of)
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        print((torch.cuda.max_memory_allocated() - before) / 2**20)
        return
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10)


def table(rows: list[Row]) -> str:
    """Returns the rows."""
    lines = ["{:42}{:>9}{:>7}{:>13}{:>12}".format("", "ms/step", "ratio", "min..max", "peak MiB")]
    for row in rows:
        spread = f"{min(row.ratios):.2f}..{max(row.ratios):.2f}"
        lines.append(
            f"{row.name:42}{1e3 * statistics.median(row.seconds):9.1f}"
            f"{statistics.median(row.ratios):7.2f}{spread:>13}{row.memory_mib:12.0f}"
        )
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Returns the options."""
    parser = step_parser((__doc__ or "").splitlines()[0])
    parser.add_argument("--memory-of", choices=tuple(ROWS), help=argparse.SUPPRESS)
    return checked_options(parser)


def main() -> None:
    """Measures, prints the table and writes the numbers."""
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    if options.memory_of:
        print_memory(options)
        return
    rows = measure(options)
    apart = disagreement(options)
    print(f"\n{options.teacher} teaches {options.student}, batch {options.batch}")
    print(table(rows))
    print(f"our gradient of the teacher and that by hand agree to {apart:.0e} in float64")
    if options.json is not None:
        found = []
        for row in rows:
            ms = [1e3 * seconds for seconds in row.seconds]
            found.append(measured.Row.of(row.name, ms, "ms/step", row.ratios))
            found.append(measured.Row(f"{row.name}, peak memory", row.memory_mib, "MiB"))
        found.append(measured.Row("disagreement in float64", apart, "of the gradient"))
        more = {**measured_with(options), "cases": [asdict(row) for row in rows]}
        measured.write_result(options.json, "learning_to_teach_step", found, **more)


if __name__ == "__main__":
    main()

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
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch
from plain_loop import plain_loop
from process_memory import MEMORY, memory_of
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import KDConfig
from metakd.core.training import Recipe, train
from metakd.data.bank import build_answers, build_views, open_answers, open_views
from metakd.data.datasets import DecodedDataset, channel_statistics, open_dataset
from metakd.data.splits import make_splits, nested_subset
from metakd.data.views import Views
from metakd.models.create import create_model
from metakd.train.answers import Teacher, Teachers
from metakd.train.inputs import Normaliser, ShuffledBatches

CIFAR_LIKE = "synthetic:samples=12000"
COMPUTE, BANK, LOGITS, LIVE, PLAIN = (
    "compute only",
    "bank",
    "bank, logits only",
    "live",
    "plain loop",
)
ROWS = (COMPUTE, BANK, LOGITS, LIVE, PLAIN)
TEACHER_ID = "teacher"


@dataclass(frozen=True)
class Case:
    """What is measured."""

    dataset: str
    student: str
    teacher: str
    augmentation: str
    batch: int
    samples: int
    steps: int
    threads: int
    cache: Path


@dataclass
class Row:
    """Seconds of each round's steps."""

    name: str
    seconds: list[float] = field(default_factory=list)


class Setup:
    """The student's task, opened from what :func:`prepare` left on the disk."""

    def __init__(self, case: Case) -> None:
        torch.set_num_threads(case.threads)
        self.case = case
        dataset = open_dataset(case.dataset, case.cache / "datasets")
        assert isinstance(dataset, DecodedDataset)
        self.dataset = dataset
        train_ids = make_splits(dataset.labels, dataset.test_ids).train
        self.ids = nested_subset(
            train_ids, dataset.labels, min(1.0, case.samples / len(train_ids)), seed=0
        )
        self.statistics = channel_statistics(dataset, self.ids)
        self.normalise = Normaliser.of(*self.statistics, "cpu")
        self.views = Views(dataset, case.augmentation, 0, self.ids, passes=1)
        # Its answers cost the same whether it was trained or not.
        self.teacher = self.model(case.teacher).eval().requires_grad_(False)

    def model(self, name: str) -> nn.Module:
        """Returns a new model in the layout that trials use."""
        made = create_model(name, self.dataset.image_shape, self.dataset.num_classes, seed=0)
        return made.to(memory_format=torch.channels_last)

    def ask(self, inputs: Tensor) -> dict[str, Tensor]:
        """Returns the teacher's logits."""
        with torch.no_grad():
            return {"logits": self.teacher(inputs)}

    def batches(self, row: str) -> ShuffledBatches:
        """Returns our batches for a row."""
        banks, id_ = self.case.cache / "banks", self.views.id
        stored = {"logits": open_answers(banks, id_, TEACHER_ID, "float16")}
        return ShuffledBatches(
            self.views,
            self.case.batch,
            order_seed=0,
            normalise=self.normalise,
            stored_views=open_views(banks, id_) if row == BANK else None,
            teachers=Teachers([Teacher({}, self.ask) if row == LIVE else Teacher(stored)]),
            steps_per_epoch=self.case.steps,
        )


def prepare(case: Case) -> None:
    """Decodes the dataset and builds the bank."""
    setup = Setup(case)
    banks = case.cache / "banks"
    build_views(banks, setup.views)
    build_answers(
        banks,
        setup.views,
        TEACHER_ID,
        lambda images: setup.ask(setup.normalise(images)),
        batch_size=256,
    )


class Repeated:
    """The same batch, as often as there are steps."""

    def __init__(self, batch: Batch, steps: int) -> None:
        self.steps_per_epoch = steps
        self._batch = batch

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields the batch again and again."""
        for _ in range(self.steps_per_epoch):
            yield self._batch


def compute_only(setup: Setup) -> Callable[[], None]:
    """Forward, loss, backward and optimiser, written out: no loop of ours around them."""
    student = setup.model(setup.case.student).train()
    optimiser = Recipe(epochs=1).optimiser(student)
    distiller = KDConfig().build()
    batch = next(setup.batches(BANK).epoch(0))

    def steps() -> None:
        for _ in range(setup.case.steps):
            losses = distiller.loss(student(batch.inputs), batch)
            optimiser.zero_grad()
            losses.total.backward()
            optimiser.step()

    return steps


def our_loop(setup: Setup, row: str) -> Callable[[], None]:
    """The product's training loop over its batches."""
    student, batches = setup.model(setup.case.student), setup.batches(row)
    recipe = Recipe(epochs=1, batch_size=setup.case.batch)
    return lambda: train(student, KDConfig().build(), recipe, batches)


def make(setup: Setup, row: str) -> Callable[[], None]:
    """Returns what a row times."""
    if row == COMPUTE:
        return compute_only(setup)
    if row != PLAIN:
        return our_loop(setup, row)
    return plain_loop(
        setup.dataset.images[setup.ids],
        setup.dataset.labels[setup.ids],
        setup.statistics,
        setup.model(setup.case.student),
        setup.model(setup.case.teacher),
        setup.case.augmentation,
        setup.case.batch,
        setup.case.steps,
    )


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


def ratios(row: Row, other: Row) -> list[float]:
    """Returns a row's time over another's, round by round."""
    return [mine / its for mine, its in zip(row.seconds, other.seconds, strict=True)]


def parse_arguments() -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
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
    add("--out", type=Path, default=Path("data_path.json"), help="default %(default)s")
    add("--cache", type=Path, default=None, help="keeps dataset and bank; default: a new folder")
    return parser.parse_args()


def main() -> None:
    """Measures, prints the tables and writes the JSON."""
    options = parse_arguments()
    report: list[dict[str, Any]] = []
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
            report.append(
                {
                    **{k: str(v) if isinstance(v, Path) else v for k, v in asdict(case).items()},
                    "rows": [asdict(row) for row in rows],
                    "machine": machine,
                }
            )
    options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

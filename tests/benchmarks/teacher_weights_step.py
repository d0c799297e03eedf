"""What learning the weights of teachers costs: steps of a student with and without it, in turn.

Run it with ``python tests/benchmarks/teacher_weights_step.py``.

Every row trains the same student on the same random batches with the logits of three teachers
given, and is timed in turn with the others: in each round as many steps as hold one look-ahead. A
ratio compares a row with the mean of losses in the same round; the table has the median of the
rounds, the least and the greatest, beside what the configuration counts itself as. On a CPU the
seconds are those that the process had, so that a busy machine spoils less.
"""

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

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
from metakd.core.distillers import MeanLossesConfig, MMKDConfig, SeveralTeachersConfig
from metakd.core.features import map_shape
from metakd.core.lookahead.look_aheads import LookAheads
from metakd.core.training import Recipe, Training
from metakd.models.create import create_model

TEACHERS, PLAIN_STEPS = 3, 5
PLAIN, DEFAULT = "mean of losses", "one step, default: every 8th, quarter batch, JVP"
REFERENCE = MMKDConfig.reference()
ROWS: dict[str, SeveralTeachersConfig] = {
    PLAIN: MeanLossesConfig(),
    DEFAULT: MMKDConfig(),
    "one step, every 5th, whole batch, JVP": MMKDConfig(interval=5, meta_fraction=1.0),
    "three steps, every 5th, whole batch, JVP": REFERENCE,
    "the same by double backward": replace(REFERENCE, estimator="double_backward"),
}


@dataclass(frozen=True)
class Repeated:
    """The same batches of random images, epoch after epoch.

    Attributes:
        held: One for each of a few steps.
        steps_per_epoch: How many steps are timed at once.
    """

    held: tuple[Batch, ...]
    steps_per_epoch: int

    @staticmethod
    def of(batch: int, teacher: str, device: str, steps: int) -> "Repeated":
        """Draws them, with maps of the teacher's shape."""
        generator = torch.Generator().manual_seed(0)
        shape = map_shape(
            create_model(teacher, IMAGE_SHAPE, CLASSES, 0), torch.zeros(1, *IMAGE_SHAPE)
        )

        def drawn() -> Batch:
            maps = [torch.randn(batch, *shape, generator=generator).relu() for _ in range(TEACHERS)]
            return Batch(
                torch.randn(batch, *IMAGE_SHAPE, generator=generator),
                torch.randint(CLASSES, (batch,), generator=generator),
                None,
                3 * torch.randn(batch, TEACHERS, CLASSES, generator=generator),
                tuple(maps),
            ).each(lambda rows: rows.to(device))

        return Repeated(tuple(drawn() for _ in range(2)), steps)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields an epoch's batches."""
        for step in range(self.steps_per_epoch):
            yield self.at(step)

    def at(self, step: int) -> Batch:
        """Returns the batch of a step."""
        return self.held[step % len(self.held)]


@dataclass
class Row:
    """What was measured of one method.

    Attributes:
        name: One of ``ROWS``.
        with_features: Whether features are matched too.
        counted: What the configuration counts a step with its share of look-aheads as.
        seconds: Of a step, for each round.
        ratios: To the mean of losses of the same round.
    """

    name: str
    with_features: bool
    counted: float
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median ratio."""
        return statistics.median(self.ratios)


def steps_of(name: str) -> int:
    """Returns how many steps of a row are timed at once."""
    config = ROWS[name]
    return config.interval if isinstance(config, LookAheads) else PLAIN_STEPS


def config_of(name: str, with_features: bool) -> SeveralTeachersConfig:
    """Returns a row's configuration, at the weight that its kind gives features."""
    return replace(ROWS[name], features_weight=1.0 if with_features else 0.0)


def new_training(options: argparse.Namespace, name: str, with_features: bool) -> Training:
    """Returns a row's training before its first step."""
    config = config_of(name, with_features)
    batches = Repeated.of(options.batch, options.teacher, options.device, steps_of(name))
    student = create_model(options.student, IMAGE_SHAPE, CLASSES, seed=0).to(options.device)
    distiller = config.build()  # type: ignore[attr-defined]
    trained = distiller.extend(student, batches.at(0), seed=0)
    recipe = Recipe(epochs=options.rounds + 1, batch_size=options.batch, lr=0.01)
    return Training(trained, distiller, recipe, batches, batches)


def measure(options: argparse.Namespace, with_features: bool) -> list[Row]:
    """Returns the rows, each timed in turn with the others, after a round that nobody counts."""
    rows, trainings = [], []
    for name in ROWS:
        config = config_of(name, with_features)
        look_aheads = 0.0
        if isinstance(config, LookAheads):
            look_aheads = config.look_ahead_equivalents(config.interval, options.batch)
            look_aheads /= config.interval
        rows.append(Row(name, with_features, 1 + look_aheads))
        trainings.append(new_training(options, name, with_features))
    for number in range(options.rounds + 1):
        for row, training in zip(rows, trainings, strict=True):
            seconds = seconds_of(training, options.device) / steps_of(row.name)
            print(f"round {number}: {row.name} takes {seconds:.3f} s a step", file=sys.stderr)
            if number:
                row.seconds.append(seconds)
                row.ratios.append(seconds / rows[0].seconds[-1])
    return rows


def seconds_of(training: Training, device: str) -> float:
    """Runs an epoch and returns how long it took."""
    if device == "cpu":
        start = time.process_time()
        training.run_epoch()
        return time.process_time() - start
    return training.run_epoch().compute_s  # whose last loss has waited for the GPU


def table(title: str, rows: list[Row]) -> str:
    """Returns the rows of a case."""
    head = ("", "ms/step", "ratio", "min..max", "counted as")
    lines = [f"\n{title}", "{:50}{:>9}{:>7}{:>13}{:>12}".format(*head)]
    for row in rows:
        spread = f"{min(row.ratios):.2f}..{max(row.ratios):.2f}"
        lines.append(
            f"{row.name:50}{1e3 * statistics.median(row.seconds):9.1f}{row.ratio:7.2f}"
            f"{spread:>13}{row.counted:12.2f}"
        )
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Returns the options."""
    return checked_options(step_parser((__doc__ or "").splitlines()[0]))


def main() -> None:
    """Measures with and without features, prints the tables and writes the numbers."""
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    found: list[measured.Row] = []
    cases: list[dict[str, Any]] = []
    for with_features in (False, True):
        rows = measure(options, with_features)
        what = "logits and features" if with_features else "logits"
        print(table(f"{options.student}, batch {options.batch}, {what}", rows), flush=True)
        for row in rows:
            ms = [1e3 * seconds for seconds in row.seconds]
            found.append(measured.Row.of(f"{what}: {row.name}", ms, "ms/step", row.ratios))
        cases += [{**asdict(row), "ratio": row.ratio} for row in rows]
    if options.json is not None:
        more = {**measured_with(options), "cases": cases}
        measured.write_result(options.json, "teacher_weights_step", found, **more)


if __name__ == "__main__":
    main()

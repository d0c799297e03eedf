"""What a study says in the terminal: its plan before, its verdict after."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from metakd.analysis.summary import Summary
from metakd.analysis.terminal import settings_table, verdict_lines
from metakd.data.datasets import ImageDataset
from metakd.models.create import create_model
from metakd.results.object_store import ObjectStore
from metakd.results.reader import read_trials
from metakd.study.banks import BankSpec
from metakd.study.cost import estimate_s
from metakd.study.plan import Job, Plan
from metakd.study.progress import duration

SHOWN_FAILURES = 3


class Failure(NamedTuple):
    """A trial that failed, and why in one line."""

    name: str
    reason: str


def announce_plan(
    console: Console,
    plan: Plan,
    dataset: ImageDataset,
    pending: Sequence[Job],
    teacher_is_trained: bool,
    cpus: int,
    free: int,
) -> None:
    """Prints what will run and what it is expected to cost on this machine.

    Raises:
        ModelError: If the teacher or the student is unknown.
    """
    spec = plan.spec
    # Building them first also finds a name that does not exist before anything else is said.
    models = f"student {_sized(plan.student, dataset)}"
    if plan.teacher is not None:
        models = f"teacher {_sized(plan.teacher.model, dataset)}, {models}"
    per_setting = ", ".join(spec.strategies)
    grid = " ".join(f"{tau:g}" for tau in spec.temperatures)
    scales = " ".join(f"{100 * s:.3g}%" for s in dict.fromkeys(s for s, _ in plan.settings))
    matched = ", as many steps at each" if spec.match == "steps" else ""
    console.print(f"study        {spec.name}: search for the temperature, or learn it?")
    console.print(
        f"data         {dataset.name}: {plan.train_samples} training samples, scales {scales}"
        f"{matched}, augmentations {' '.join(spec.augmentations)}"
    )
    if dataset.skipped:
        console.print(
            f"note         {dataset.skipped} images could not be decoded and are left out"
        )
    console.print(f"models       {models}, {plan.jobs[0].trial.recipe.epochs} epochs")
    console.print(f"strategies   {per_setting} (grid τ: {grid}; fixed τ: {spec.fixed_tau:g})")
    console.print(
        f"trials       {len(plan.jobs)} = {len(plan.settings)} settings × {spec.seeds} seeds × "
        f"{len(plan.jobs) // (len(plan.settings) * spec.seeds)} runs; "
        f"{len(plan.jobs) - len(pending)} finished, {len(pending)} to run"
    )
    if pending:
        pixels = len(dataset.labels) * math.prod(dataset.image_shape)
        images = f"images {_size(pixels)}" if dataset.is_decoded else "images stay in their files"
        console.print(f"kept         {images}, bank {_banks(plan.banks)}")
        console.print(f"disk         {_size(free)} free")
        expected = estimate_s(plan, pending, dataset, teacher_is_trained, cpus)
        console.print(f"estimate     {duration(expected)} on the {cpus} CPUs here")


def announce_verdict(console: Console, summary: Summary) -> None:
    """Prints the verdict and the table of settings."""
    console.print()
    for line in verdict_lines(summary):
        console.print(line)
    console.print()
    console.print(settings_table(summary))


def announce_places(
    console: Console, out: Path, report: Path | None, store: ObjectStore | None
) -> None:
    """Prints where everything lies."""
    console.print(f"store        {out / 'trials' if store is None else store.address('trials')}")
    console.print(f"report       {report or 'not written (--no-report)'}")
    if report is not None and store is not None:
        console.print(f"             and {store.address(report.name)}")


def announce_failures(console: Console, failures: list[Failure]) -> None:
    """Prints how many trials failed, the first few with their reasons."""
    if not failures:
        return
    console.print(f"{len(failures)} trials failed; the same command tries them again:")
    for failure in failures[:SHOWN_FAILURES]:
        console.print(f"  {failure.name}: {failure.reason}")


def announce_skipped(console: Console, out: Path, trial_ids: Sequence[str]) -> None:
    """Prints how many look-aheads moved nothing, if any: their gradient was not finite."""
    skipped = read_trials(out, trial_ids).column("meta_steps_skipped").to_pylist()
    trials = sum(bool(count) for count in skipped)
    if trials:
        total = sum(count or 0 for count in skipped)
        console.print(
            f"note         {total} look-aheads in {trials} trials were skipped: their gradient was "
            "not finite"
        )


def _banks(banks: Sequence[BankSpec]) -> str:
    modes = dict.fromkeys((bank.augmentation, bank.mode) for bank in banks)
    by_augmentation = ", ".join(f"{augmentation} {mode}" for augmentation, mode in modes)
    return f"{_size(sum(bank.kept_bytes for bank in banks))} ({by_augmentation})"


def _size(count: int) -> str:
    if count < 2**20:
        return f"{count / 2**10:.0f} KiB"
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


def _sized(model: str, dataset: ImageDataset) -> str:
    built = create_model(model, dataset.image_shape, dataset.num_classes, seed=0)
    return f"{model} ({sum(p.numel() for p in built.parameters()):,} parameters)"

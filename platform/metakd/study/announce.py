"""What a study says in the terminal: its plan before, its verdict after."""

from pathlib import Path

from rich.console import Console

from metakd.analysis.summary import Summary
from metakd.analysis.terminal import settings_table, verdict_lines
from metakd.data.datasets import ImageDataset
from metakd.study.cost import estimate_s, expected_steps, seconds_per_step
from metakd.study.plan import Job, Plan
from metakd.study.progress import duration
from metakd.study.tuning import Failure

SHOWN_FAILURES = 3


def announce_plan(
    console: Console, plan: Plan, dataset: ImageDataset, pending: list[Job], cpus: int
) -> None:
    """Prints what will run and what it is expected to cost on this machine."""
    spec = plan.spec
    per_setting = ", ".join(spec.strategies)
    grid = " ".join(f"{tau:g}" for tau in spec.temperatures)
    scales = " ".join(f"{100 * scale:g}%" for scale in spec.scales)
    console.print(f"study        {spec.name}: search for the temperature, or learn it?")
    console.print(
        f"data         {dataset.name}: {plan.train_samples} training samples, scales {scales}, "
        f"augmentations {' '.join(spec.augmentations)}"
    )
    console.print(
        f"models       teacher {plan.teacher_model or 'none'}, student {plan.student}, "
        f"{plan.jobs[0].trial.recipe.epochs} epochs"
    )
    console.print(f"strategies   {per_setting} (grid τ: {grid}; fixed τ: {spec.fixed_tau:g})")
    console.print(
        f"trials       {len(plan.jobs)} = {len(plan.settings)} settings × {spec.seeds} seeds × "
        f"{len(plan.jobs) // (len(plan.settings) * spec.seeds)} runs; "
        f"{len(plan.jobs) - len(pending)} finished, {len(pending)} to run"
    )
    if pending:
        step_s = seconds_per_step(plan, dataset.image_shape, dataset.num_classes)
        steps = sum(expected_steps(job.trial, plan.train_samples) for job in pending)
        mode = "kept on disk" if plan.banks else "too big to keep: made live"
        console.print(f"bank         {plan.bank_bytes / 2**20:.0f} MiB of views, {mode}")
        console.print(
            f"estimate     {duration(estimate_s(steps, step_s, cpus))} on the {cpus} CPUs here "
            f"({steps:,.0f} student steps of {1000 * step_s:.2g} ms)"
        )


def announce_verdict(console: Console, summary: Summary, out: Path, report: Path | None) -> None:
    """Prints the verdict, the table of settings, and where everything lies."""
    console.print()
    for line in verdict_lines(summary):
        console.print(line)
    console.print()
    console.print(settings_table(summary))
    console.print(f"store        {out / 'trials'}")
    console.print(f"report       {report or 'not written (--no-report)'}")


def announce_failures(console: Console, failures: list[Failure]) -> None:
    """Prints how many trials failed, the first few with their reasons."""
    if not failures:
        return
    console.print(f"{len(failures)} trials failed; the same command tries them again:")
    for failure in failures[:SHOWN_FAILURES]:
        console.print(f"  {failure.name}: {failure.reason}")

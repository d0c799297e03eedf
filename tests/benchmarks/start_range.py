"""What a learned temperature owes to its start, and what it loses to the best fixed one.

Two numbers judge a way to learn temperatures, each setting by itself:

- its *start range*: largest minus smallest mean test accuracy over starts τ in {1, 2, 4, 8, 16},
  beside the range of fixed temperatures at the same values;
- its *regret*: test accuracy of the fixed temperature that validation chooses, minus its own at
  the default start τ = 4, paired by seed, with a 95 % t interval.

    python tests/benchmarks/start_range.py --dataset digits --out results/start_range
    python tests/benchmarks/start_range.py --dataset parquet:DIR --scales 0.01 0.02 \
        --augmentations none standard --out results/start_range_cifar10

The teacher and its answers are made on Ray once, like those of a study; the students are trained
in this process's own pool, and a run that is finished is kept and never run again.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from metakd.atomic import new_file
from metakd.core.distillers import DistillerConfig, KDConfig, MKDConfig
from metakd.core.evaluation import evaluate
from metakd.core.training import train
from metakd.data.bank import BankError, open_answers
from metakd.data.catalogue import DatasetOptions
from metakd.data.counter_random import derive_seed
from metakd.data.datasets import open_dataset
from metakd.study.cases import Job
from metakd.study.plan import Plan, make_plan
from metakd.study.preparation import carry_out, preparation_of
from metakd.study.spec import StudySpec
from metakd.train.content import content_id
from metakd.train.folder import StudyFolder
from metakd.train.inputs import HeldOutMetaBatches
from metakd.train.samples import open_samples
from metakd.train.student import training_batches
from metakd.train.teacher import read_report

STARTS = (1.0, 2.0, 4.0, 8.0, 16.0)
DEFAULT_START = 4.0
EVALUATED_AT_MOST = 4000

WHOLE = {"interval": 1, "meta_fraction": 1.0}
ARMS: dict[str, dict[str, object]] = {
    "search": {},
    # What metakd did before: Adam 0.02 on Hinton's factor, at every step, on whole batches.
    "before": {"rule": "gradient", "scale": "product", "meta_lr": 0.02, **WHOLE},
    "gradient": {"rule": "gradient"},
    "rate 0.1": {"rule": "gradient", "scale": "product", "meta_lr": 0.1, **WHOLE},
    "detached": {"rule": "gradient", "scale": "detached", "meta_lr": 0.05, **WHOLE},
    "free": {"rule": "gradient", "meta_lr": 0.05, **WHOLE},
    "shared": {"rule": "gradient", "form": "shared", "meta_lr": 0.05, **WHOLE},
    "3 steps": {"rule": "gradient", "meta_lr": 0.05, "horizon": 3, **WHOLE},
    "held out": {"rule": "gradient", "meta_lr": 0.05, "meta_data": "held_out", **WHOLE},
    "search, product": {"scale": "product"},
    "search, shared": {"form": "shared"},
    "search, whole": WHOLE,
    "search, 0.5 to 8": {"search_range": (0.5, 8.0)},
    "search, 2 to 32": {"search_range": (2.0, 32.0)},
    "search, held out": {"meta_data": "held_out"},
}


@dataclass(frozen=True)
class Run:
    """One student's training: a study's job, taught in one of the ways above."""

    job: Job
    arm: str
    start: float
    folder: StudyFolder

    @property
    def distiller(self) -> DistillerConfig:
        """How the student is taught."""
        if self.arm == "fixed":
            return KDConfig(tau_s=self.start, tau_t=self.start)
        return MKDConfig(tau_s=self.start, tau_t=self.start, **ARMS[self.arm])  # type: ignore[arg-type]

    @property
    def setting(self) -> tuple[float, str]:
        """Scale and augmentation."""
        return self.job.trial.sampling.scale, self.job.trial.sampling.augmentation

    @property
    def file(self) -> Path:
        """Where its result is kept."""
        trial = replace(self.job.trial, distiller=self.distiller)
        return self.folder.out / "start_range" / f"{content_id(trial)}.json"


@dataclass(frozen=True)
class Result:
    """Accuracies in [0, 1] at the last epoch."""

    validation: float
    test: float
    tau_s: float
    tau_t: float


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what is missing, and prints the table."""
    options = _options().parse_args(argv)
    console = Console(width=150)
    for arm in options.arms:
        if arm not in ARMS:
            print(f"error: no arm {arm!r}; arms are {', '.join(ARMS)}", file=sys.stderr)
            return 2
    folder = StudyFolder(options.out.absolute())
    jobs = _jobs(options, folder)
    runs = [
        Run(job, arm, start, folder)
        for arm in ["fixed", *options.arms]
        for start in (STARTS if arm == "fixed" or options.all_starts else _starts_of(arm))
        for job in jobs
    ]
    pending = [run for run in runs if not run.file.exists()]
    console.print(f"{len(runs)} runs, {len(pending)} of them to do on {options.workers} processes")
    _run_all(pending, options.workers, console)
    results = {(r.setting, r.arm, r.start, r.job.trial.seed): _read(r.file) for r in runs}
    _print_table(console, results, options.arms, options.seeds)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or parquet:PATH")
    parser.add_argument("--scales", type=float, nargs="+", default=[0.1, 0.3])
    parser.add_argument("--augmentations", nargs="+", default=["none", "strong"])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--arms", nargs="+", default=["search", "before"], metavar="ARM")
    parser.add_argument("--all-starts", action="store_true", help="also of rules without a start")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/start_range"))
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    return parser


def _starts_of(arm: str) -> tuple[float, ...]:
    # Search begins at the middle of its range whatever start is named: one run stands for all.
    has_start = MKDConfig(**ARMS[arm]).effective_rule == "gradient"  # type: ignore[arg-type]
    return STARTS if has_start else (DEFAULT_START,)


def _jobs(options: argparse.Namespace, folder: StudyFolder) -> list[Job]:
    """Returns a job for each setting and seed, its teacher and its bank made."""
    spec = StudySpec(
        name="start_range",
        datasets=(options.dataset,),
        scales=tuple(options.scales),
        augmentations=tuple(options.augmentations),
        strategies=("fixed",),
        seeds=options.seeds,
    )
    dataset = open_dataset(options.dataset, folder.datasets, DatasetOptions(options.data_dir))
    plan = make_plan(spec, [dataset])
    banks = [bank.id for bank in plan.banks if bank.mode != "live"]
    if any(_lacks_answers(bank, plan, folder) for bank in banks):
        untrained = [t for t in plan.teachers if read_report(t, folder) is None]
        for job in preparation_of(plan.banks, banks, untrained):
            print(f"preparing {job.name}")
            carry_out(job, folder)
    return list(plan.jobs)


def _lacks_answers(bank: str, plan: Plan, folder: StudyFolder) -> bool:
    (teacher,) = plan.teachers
    try:
        open_answers(folder.banks, bank, teacher.id, plan.spec.logits)
    except BankError:
        return True
    return False


def _run_all(pending: list[Run], workers: int, console: Console) -> None:
    if not pending:
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(_run, run) for run in pending]
        for task in track(as_completed(tasks), "students", total=len(tasks), console=console):
            task.result()


def _run(run: Run) -> None:
    """Trains a student as a study's trial does, and evaluates it once, at its end."""
    torch.set_num_threads(1)
    trial, folder = run.job.trial, run.folder
    samples = open_samples(trial.data, folder)
    student = samples.new_model(trial.student, trial.seed)
    torch.manual_seed(derive_seed(trial.seed, "dropout"))
    distiller = run.distiller.build()
    held_out = samples.held_out(
        trial.sampling.held_out_ids(samples.splits, samples.dataset.labels, trial.seed)
    )
    train(
        student,
        distiller,
        trial.recipe,
        training_batches(trial, folder, samples, run.job.bank),
        HeldOutMetaBatches(held_out, trial.recipe.batch_size, trial.seed),
    )
    validation, test = (
        evaluate(student, judging.first(EVALUATED_AT_MOST)).accuracy
        for judging in (held_out, samples.test)
    )
    result = Result(validation, test, *(distiller.temperatures() or (np.nan, np.nan)))
    run.file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(run.file) as draft:
        draft.write_text(json.dumps(asdict(result)))


def _read(file: Path) -> Result:
    return Result(**json.loads(file.read_text()))


Results = dict[tuple[tuple[float, str], str, float, int], Result]


def _print_table(console: Console, results: Results, arms: list[str], seeds: int) -> None:
    for setting in dict.fromkeys(key[0] for key in results):
        scale, augmentation = setting
        table = Table(title=f"{100 * scale:g} % · {augmentation}, {seeds} seeds", box=None)
        for name in (
            "way",
            *(f"τ = {start:g}" for start in STARTS),
            "start range",
            "regret",
            "τs, τt",
        ):
            table.add_column(name, justify="left" if name == "way" else "right")
        fixed = _accuracies(results, setting, "fixed", "test", seeds)
        chosen = _accuracies(results, setting, "fixed", "validation", seeds).mean(axis=0).argmax()
        grid_range = np.ptp(fixed.mean(axis=0))
        cells = [f"{mean:.2f}" for mean in fixed.mean(axis=0)]
        table.add_row("fixed", *cells, f"{grid_range:.2f}", "", f"{STARTS[chosen]:g} chosen")
        for arm in arms:
            table.add_row(arm, *_row(results, setting, arm, seeds, fixed[:, chosen], grid_range))
        console.print(table)


def _row(
    results: Results,
    setting: tuple[float, str],
    arm: str,
    seeds: int,
    best_fixed: NDArray[np.float64],
    grid_range: float,
) -> list[str]:
    has_run = [(setting, arm, start, 0) in results for start in STARTS]
    accuracies = _accuracies(results, setting, arm, "test", seeds)
    means = [f"{mean:.2f}" for mean in accuracies.mean(axis=0)]
    if not all(has_run):
        means = [means[0] if start == DEFAULT_START else "=" for start in STARTS]
        default, spread = accuracies[:, 0], "0 (no start)"
    else:
        default = accuracies[:, STARTS.index(DEFAULT_START)]
        width = np.ptp(accuracies.mean(axis=0))
        spread = f"{width:.2f} ({width / grid_range:.2f} of the grid's)"
    regret = best_fixed - default
    half = stats.t.ppf(0.975, seeds - 1) * stats.sem(regret)
    last = [results[setting, arm, DEFAULT_START, seed] for seed in range(seeds)]
    taus = np.exp(np.log([[r.tau_s, r.tau_t] for r in last]).mean(axis=0))
    low, high = regret.mean() - half, regret.mean() + half
    interval = f"{regret.mean():+.2f} [{low:+.2f}, {high:+.2f}]"
    return [*means, spread, interval, f"{taus[0]:.1f}, {taus[1]:.1f}"]


def _accuracies(
    results: Results, setting: tuple[float, str], arm: str, split: str, seeds: int
) -> NDArray[np.float64]:
    """Returns accuracies in per cent, [seed, start]."""
    starts = [start for start in STARTS if (setting, arm, start, 0) in results]
    return np.array(
        [
            [100 * getattr(results[setting, arm, start, seed], split) for start in starts]
            for seed in range(seeds)
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

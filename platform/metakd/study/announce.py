"""What a study says in the terminal: its plan before, its verdict after."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from metakd.analysis.made_with import COLUMNS, GIT_COMMIT, others_than, trials_by_version
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.statistics.intervals import MIN_PAIRS
from metakd.analysis.wording import counted, spanned
from metakd.data.catalogue import find_recipe
from metakd.data.datasets import ImageDataset
from metakd.models.outline import parameters_of
from metakd.results.reader import read_trials
from metakd.strategies import STRATEGIES
from metakd.student_card import KeepStudents
from metakd.study.banks import BankSpec
from metakd.study.cost import HOUR_S
from metakd.study.data_in_words import data_in_words, notes_on_data
from metakd.study.machines import Machines
from metakd.study.options import UntilDecided, Wanted
from metakd.study.plan import Opened, Plan
from metakd.study.progress import duration
from metakd.study.record import git_commit
from metakd.study.scheduler import Scheduler
from metakd.train.algorithms import current_versions, outdated
from metakd.train.commit import package_versions
from metakd.train.trial import TeacherSpec

if TYPE_CHECKING:
    from metakd.analysis.statistics.looks import Schedule
    from metakd.analysis.summary import Summary
    from metakd.results.look_records import LookRecord
    from metakd.results.object_store import ObjectStore

SHOWN_FAILURES = 3
BYTES_OF_A_WEIGHT = 4
WIDTH = 100
MINUTE_S = 60.0


class Failure(NamedTuple):
    """A trial that failed, and why in one line."""

    name: str
    reason: str


def announce_plan(
    console: Console,
    plan: Plan,
    scheduler: Scheduler,
    free: int,
    until_decided: UntilDecided | None = None,
) -> None:
    """Prints what will run.

    Raises:
        ModelError: If a teacher or a student is unknown.
    """
    spec = plan.spec
    console.print(f"study        {spec.name}: {QUESTIONS[spec.question].title}")
    for opened in plan.opened:
        # Building them first also finds a name that does not exist before anything else is said.
        _announce_data(console, plan, opened)
    console.print(f"strategies   {', '.join(spec.strategies)} ({_choices(plan)})")
    for name, reason in plan.left_out.items():
        console.print(f"left out     {name}: {reason}")
    mixing = [name for name in spec.augmentations if find_recipe(name).mixing is not None]
    largest = [name for name in spec.strategies if STRATEGIES[name].mixed_labels == "largest"]
    if mixing and largest:
        console.print(
            f"note         {', '.join(largest)}: under {', '.join(mixing)} the larger share of a "
            "mixed label counts as the true class; their papers have no mixed labels"
        )
    if spec.seeds < MIN_PAIRS and until_decided is None:
        console.print(
            f"note         {counted(spec.seeds, 'seed')}: too few for an interval in a single "
            f"setting, give --seeds {MIN_PAIRS} or more"
        )
    settings = counted(len(plan.settings), "setting")
    seeds = spanned(plan.seed_counts, "seed")
    to_run = len({job.id for job in scheduler.known()}.intersection(plan.trial_ids))
    console.print(
        f"trials       {len(plan.trial_ids)} in {settings} × {seeds}; "
        f"{len(plan.trial_ids) - to_run} finished, {to_run} to run"
    )
    further = sum(search.runs_to_come for search in scheduler.unfinished())
    if further >= 1:
        console.print(f"             and about {further:,.0f} that searches will choose")
    if not scheduler.is_over:
        console.print(f"kept         {_images(plan)}, bank {_banks(plan.banks)}")
        console.print(f"disk         {_size(free)} free")


def announce_estimate(
    console: Console,
    plan: Plan,
    scheduler: Scheduler,
    untrained: Sequence[TeacherSpec],
    machines: Machines,
    wanted: Wanted,
    until_look: Scheduler | None = None,
    until_decided: UntilDecided | None = None,
) -> None:
    """Prints what the rest of a study is expected to take on some machines.

    Args:
        console: Where to print.
        plan: The study's plan.
        scheduler: All that is not finished of it.
        untrained: Teachers that are not trained yet.
        machines: Where it would run.
        wanted: What each trial is to be given of them.
        until_look: What runs until the next look, where that is not all.
        until_decided: Its budget.

    Raises:
        ResourceError: If not even one trial fits.
    """
    whole = first = machines.estimate(plan, scheduler, untrained, wanted)
    until = ""
    if until_look is not None and until_look is not scheduler and not until_look.is_over:
        first = machines.estimate(plan, until_look, untrained, wanted)
        until = f", {duration(first.wall_s)} until the next look"
    devices = "GPU" if any(node.gpus for node in machines.nodes) else "CPU"
    # Nobody plans by seconds that were never measured.
    is_short = not machines.is_measured and whole.wall_s < MINUTE_S
    shown = "less than a minute" if is_short else duration(whole.wall_s)
    console.print(
        f"estimate     {shown} on {machines.in_words}{until}; "
        f"{work(whole.device_s, devices)}, {_size(whole.memory_bytes)} of memory, "
        f"{_size(whole.disk_bytes)} of disk"
    )
    if not machines.is_measured:
        console.print(
            "             computed from peak rates, never measured on such a GPU: it may take "
            "twice as long"
        )
    hours = None if until_decided is None else until_decided.max_hours
    if hours is not None and first.wall_s > hours * HOUR_S:
        console.print(
            f"note         the next look comes later than --max-hours {hours:g}: the same "
            "command goes on, or give fewer --seeds or --epochs"
        )


def work(seconds: float, devices: str) -> str:
    """Returns an amount of work: "12 CPU-minutes", "960 GPU-hours"."""
    if seconds < HOUR_S:
        return counted(max(1, round(seconds / MINUTE_S)), f"{devices}-minute")
    return f"{seconds / HOUR_S:,.1f} {devices}-hours"


def announce_kept(console: Console, plan: Plan, keep: KeepStudents) -> None:
    """Prints which students will be kept, and what they take."""
    if keep == "none":
        return
    places = {
        "best": "the best of each setting by validation",
        "selected": "those that strategies select; until the end, all",
        "all": "all",
    }
    per_setting = plan.expected_trials / len(plan.settings)
    weights = sum(
        BYTES_OF_A_WEIGHT
        * parameters_of(setting.student, opened.dataset.image_shape, opened.dataset.num_classes)
        for setting in plan.settings
        for opened in [plan.opened_of(setting.data)]
    )
    size = weights * (1 if keep == "best" else per_setting)
    console.print(f"students     {places[keep]}: about {_size(round(size))} (--keep-students)")


def _choices(plan: Plan) -> str:
    """Returns in words what the strategies choose from, and what they may spend."""
    spec, chosen = plan.spec, [STRATEGIES[name] for name in plan.spec.strategies]
    words = [f"fixed τ: {spec.fixed_tau:g}"]
    if "grid" in spec.strategies or any(strategy.needs_range for strategy in chosen):
        words.insert(0, "grid τ: " + " ".join(f"{tau:g}" for tau in spec.temperatures))
    if any(strategy.is_searcher for strategy in chosen):
        words.append(f"each searcher spends {spec.runs_to_spend:g} runs")
    return "; ".join(words)


def _announce_data(console: Console, plan: Plan, opened: Opened) -> None:
    spec, dataset = plan.spec, opened.dataset
    here = [setting for setting in plan.settings if setting.data == opened.data]
    levels = dict.fromkeys(setting.teachers for setting in here if setting.teachers)
    models = [_teaching(teachers, dataset) for teachers in levels]
    models += [f"student {_sized(s, dataset)}" for s in dict.fromkeys(s.student for s in here)]
    scales = dict.fromkeys(
        f"{100 * setting.sampling.scale:.3g}% ({samples:,} + {held_out:,})"
        for setting in here
        for samples, held_out in [plan.labelled[setting.data, setting.sampling]]
    )
    matched = ", as many steps at each" if spec.match == "steps" else ""
    # Names from outside are text, no markup.
    data = data_in_words(dataset, opened.splits)
    console.print(f"data         {data}", markup=False, emoji=False)
    console.print(
        f"             scales {', '.join(scales)}{matched}, "
        f"augmentations {' '.join(spec.augmentations)}"
    )
    for note in notes_on_data(dataset, opened.splits):
        console.print(f"note         {note}", markup=False, emoji=False)
    console.print(f"models       {', '.join(models)}, {opened.recipes.student.epochs} epochs")


def _images(plan: Plan) -> str:
    decoded = [opened.dataset for opened in plan.opened if opened.dataset.is_decoded]
    if not decoded:
        return "images stay in their files"
    return f"images {_size(sum(len(d.labels) * math.prod(d.image_shape) for d in decoded))}"


def announce_schedule(
    console: Console, plan: Plan, schedule: "Schedule", looks: "Sequence[LookRecord]"
) -> None:
    """Prints when a study looks at what, for which strategies it goes on, and the looks so far."""
    pilots = ", ".join(f"{each:g}" for each in schedule.pilots)
    console.print(
        f"looks        until it is decided at ±{schedule.margin_pp:g} points: after {pilots} times "
        f"the compute of {schedule.pilot_seeds} seeds everywhere"
    )
    going_on = [name for name in plan.spec.strategies if plan.spec.goes_on(name)]
    if len(going_on) < len(plan.spec.strategies):
        console.print(
            f"             of {', '.join(going_on)}; the others run after the first, in "
            f"{plan.spec.seeds} seeds (--continued)"
        )
    if looks:
        console.print(f"             {len(looks)} taken; the last one: {looks[-1].word}")


def announce_decision(console: Console, summary: "Summary") -> None:
    """Prints the last words of a study whose looks were declared."""
    if summary.deciding is not None:
        # The first of its sentences: the decision, or what it would take.
        for line in wrap(f"{summary.verdict.badge}. {summary.verdict.sentences[0]}", WIDTH):
            console.print(line)


def announce_places(
    console: Console, out: Path, report: Path | None, store: "ObjectStore | None"
) -> None:
    """Prints where everything lies."""
    console.print(f"store        {out / 'trials' if store is None else store.address('trials')}")
    console.print(f"report       {report or 'not written (--no-report)'}")
    if report is not None and store is not None:
        console.print(f"             and {store.address(report.name)}")


def announce_students(
    console: Console, out: Path, summary: "Summary", store: "ObjectStore | None"
) -> None:
    """Prints where the students lie that were kept, and how one of them is loaded."""
    if not summary.students:
        return
    best = max(summary.students, key=lambda student: student.val_pp)
    file = out / best.file if store is None else store.uri_of(best.file)
    settings = counted(len(summary.students), "setting")
    console.print(f"students     kept of {settings}; one with {best.test_pp:.2f} % on test:")
    console.print(f'             metakd.load_student("{file}")')


def announce_failures(console: Console, failures: list[Failure]) -> None:
    """Prints how many trials failed, the first few with their reasons."""
    if not failures:
        return
    console.print(f"{len(failures)} trials failed; the same command tries them again:")
    for failure in failures[:SHOWN_FAILURES]:
        console.print(f"  {failure.name}: {failure.reason}")


def announce_older(console: Console, plan: Plan, out: Path) -> None:
    """Says how many trials of the store were made by older versions of an algorithm."""
    if not out.exists():
        return
    # Distillers of a user's own are known by the plan alone.
    distillers = {job.trial.distiller for job in plan.jobs}
    now = current_versions() | {each.method: each.version for each in distillers}
    contents = read_trials(out, columns=["config_json"])["config_json"].to_pylist()
    older = [changed for content in contents if content and (changed := outdated(content, now))]
    if older:
        merged = {name: was for changed in older for name, was in changed.items()}
        words = [
            f"{name} {'unversioned' if was is None else was}, now {now.get(name, 'gone')}"
            for name, was in sorted(merged.items())
        ]
        console.print(
            f"older        {counted(len(older), 'trial')} in the store of older algorithms "
            f"({'; '.join(words)}): they stay there, and are not compared with new ones"
        )


def announce_versions(console: Console, out: Path) -> None:
    """Says which trials of the store were made with other packages, Python or code than these."""
    if not out.exists():
        return
    rows = read_trials(out, columns=COLUMNS).to_pylist()
    now = {**package_versions(), GIT_COMMIT: git_commit()}
    words = []
    for what, counts in others_than(now, trials_by_version(rows)).items():
        were = [f"{version} ({counted(trials, 'trial')})" for version, trials in counts.items()]
        words.append(f"{what} {', '.join(were)}, now {now[what]}")
    if words:
        console.print(
            f"versions     changed since trials of the store were made: {'; '.join(words)}. They "
            "count like new ones; the report says which made how many"
        )


def announce_skipped(console: Console, out: Path, trial_ids: Collection[str]) -> None:
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
    kept = dict.fromkeys(f"{bank.augmentation} {bank.in_words}" for bank in banks)
    return f"{_size(sum(bank.kept_bytes for bank in banks))} ({', '.join(kept)})"


def _size(count: int) -> str:
    if count < 2**20:
        return f"{count / 2**10:.0f} KiB"
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


def _teaching(teachers: Sequence[TeacherSpec], dataset: ImageDataset) -> str:
    side = "teacher" if len(teachers) == 1 else f"{len(teachers)} teachers at once:"
    return f"{side} {' + '.join(_sized(teacher.model, dataset) for teacher in teachers)}"


def _sized(model: str, dataset: ImageDataset) -> str:
    parameters = parameters_of(model, dataset.image_shape, dataset.num_classes)
    return f"{model} ({parameters:,} parameters)"

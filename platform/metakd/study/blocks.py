"""A study that runs until it is decided: block by block of seeds, with a declared look after each.

All trials of a block end before its look, so that a look follows from the store alone: a study that
was killed takes the same looks as one that was not.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from metakd.analysis.deciding_in_words import look_line
from metakd.analysis.next_look import look_at
from metakd.analysis.schedule import DeclaredSchedule, interval_of_look
from metakd.analysis.statistics.looks import Schedule
from metakd.analysis.wording import counted, spanned
from metakd.results.look_records import LOOKS_FILE, LookRecord, read_looks, write_looks
from metakd.results.reader import finished_trials
from metakd.results.seeds import seed_number
from metakd.results.study import STUDY_FILE, StudyRecord
from metakd.study.cost import HOUR_S, expected_steps, plain_run
from metakd.study.decidable import require_other_settings
from metakd.study.options import UntilDecided
from metakd.study.plan import Plan
from metakd.study.progress import duration
from metakd.study.record import as_recorded, record_searches, record_study
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import SpecError, StudySpec
from metakd.train.folder import StudyFolder

TRIAL_STEPS = 120.0
"""What a trial takes beside its steps, in steps of a small student: its start, its evaluations and
its commit. Large students have so many more and longer steps that it does not matter."""
PlanOf = Callable[[Sequence[int]], Plan]
"""Lays the study out with so many seeds in each setting."""


class Blocks:
    """Takes the look that is due, and adds the next block to a scheduler.

    Args:
        plan_of: Lays the study out.
        spec: The study.
        recorded: What its folder holds of it already; None where it is new.
        budget: How long it may go on in this run.
        folder: The study's folder.
        console: Where looks are printed.

    Raises:
        SpecError: If the folder holds a study of another schedule, or of none.

    Attributes:
        plan: The study with the seeds that it has so far.
        declared: Its schedule.
    """

    def __init__(
        self,
        plan_of: PlanOf,
        spec: StudySpec,
        recorded: StudyRecord | None,
        budget: UntilDecided,
        folder: StudyFolder,
        console: Console,
    ) -> None:
        self._plan_of = plan_of
        self._budget = budget
        self._folder = folder
        self._console = console
        self._began = self._looked = time.monotonic()
        given = Schedule(spec.margin_pp, spec.seeds, budget.pilots)
        declared = None if recorded is None else DeclaredSchedule.of(recorded)
        if declared is not None:
            require_same_schedule(declared, given, folder.out)
        elif recorded is not None and finished_trials(folder.out):
            raise SpecError(
                f"{folder.out} holds a study without declared looks, and looks count only if they "
                "are declared before the first trial: choose another --out"
            )
        self._looks = list(read_looks(folder.out)) if declared is not None else []
        self.plan = plan_of(())
        require_other_settings(spec, len(self.plan.settings))
        if recorded is not None and declared is not None:
            _require_same_design(recorded, self.plan, folder.out)
        if self._looks:
            # What lies behind a look that was taken is not run again, whatever follows it.
            self.plan = plan_of(self._looks[-1].seed_counts)
        self._runs_others = False
        # Which block the plan is laid out to the end of, from 1 on: its look may be due.
        self._block = max(1, len(self._looks))
        self.declared = declared or DeclaredSchedule(given, seed_costs(self.plan))

    @property
    def looks(self) -> tuple[LookRecord, ...]:
        """The looks that were taken."""
        return tuple(self._looks)

    @property
    def is_out_of_time(self) -> bool:
        """Whether the hours of this run are over."""
        return self._seconds_left() <= 0

    def extend(self, scheduler: Scheduler) -> bool:
        """Takes the looks that are due, and adds the next block; False where nothing follows.

        After the first look come the strategies that stop after the pilot, once.

        Args:
            scheduler: It is over.

        Raises:
            StoreError: If what is in the store cannot be read.
        """
        if self._runs_others:
            # A look costs nothing of their time.
            self._looked, self._runs_others = time.monotonic(), False
        while scheduler.is_over and not scheduler.is_closed:
            if self._is_due:
                self._look(scheduler)
            if scheduler.holds:
                self._release(scheduler)
                continue
            counts = self._looks[-1].next_seed_counts
            if not counts:
                return False
            plan = self._plan_of(counts)
            if not self._is_affordable(plan):
                return False
            self._begin(plan, scheduler)
        return not scheduler.is_over

    @property
    def _is_due(self) -> bool:
        return len(self._looks) < self._block

    def _look(self, scheduler: Scheduler) -> None:
        out = self._folder.out
        record_searches(scheduler, self._folder)
        before = self._looks[-1].wall_s if self._looks else 0.0
        look = look_at(out, self._looks, before + time.monotonic() - self._looked)
        self._looked = time.monotonic()
        self._looks.append(look)
        write_looks(out, self._looks)
        self._folder.push(out / LOOKS_FILE)
        pilots = len(self.declared.looks.pilots)
        line = look_line(pilots, look.number, look.comparison, interval_of_look(look), look.word)
        self._console.print(f"look         {line}; {look.trials} trials, {duration(look.wall_s)}")

    def _begin(self, plan: Plan, scheduler: Scheduler) -> None:
        begun = {run.place for run in self.plan.strategy_runs}
        self.plan = plan
        self._block += 1
        record_study(plan, self._folder.out, self.declared)
        self._folder.push(self._folder.out / STUDY_FILE)
        further = [run for run in plan.strategy_runs if run.place not in begun]
        scheduler.add(searches_of(replace(plan, strategy_runs=tuple(further))))
        seeds = spanned(plan.seed_counts, "seed")
        self._console.print(
            f"block        {seeds} a setting, {len(scheduler.known())} trials to run"
        )

    def _release(self, scheduler: Scheduler) -> None:
        """Adds the strategies that stop after the pilot."""
        scheduler.release()
        self._runs_others = not scheduler.is_over
        if self._runs_others:
            trials = counted(len(scheduler.known()), "trial")
            self._console.print(f"others       {trials} of strategies that no look needs")

    def _is_affordable(self, plan: Plan) -> bool:
        """Says whether the next block fits into what is left of the budget, and if not, why."""
        runs = plan.expected_trials
        most = self._budget.max_runs
        if most is not None and runs > most:
            self._console.print(
                f"budget       the next block makes it {runs:,.0f} trials, more than the {most:,} "
                "of --max-runs"
            )
            return False
        needed, left = self._seconds_of_next_block(), self._seconds_left()
        if needed > left:
            self._console.print(
                f"budget       the next block takes about {duration(needed)}, and --max-hours "
                f"leaves {duration(max(0.0, left))}"
            )
            return False
        return True

    def _seconds_of_next_block(self) -> float:
        last = self._looks[-1]
        spent, then = (self._cost(counts) for counts in (last.seed_counts, last.next_seed_counts))
        return (then - spent) / spent * last.wall_s

    def _cost(self, seed_counts: Sequence[int]) -> float:
        """Returns what so many seeds of each setting cost, in the unit of the declared costs."""
        of_group = dict(zip(self.plan.seed_groups, seed_counts, strict=True))
        return sum(count * self.declared.seed_costs[group] for group, count in of_group.items())

    def _seconds_left(self) -> float:
        hours = self._budget.max_hours
        return math.inf if hours is None else hours * HOUR_S - (time.monotonic() - self._began)


def seed_costs(plan: Plan) -> tuple[float, ...]:
    """Returns what one seed of each group of settings costs, in student-step equivalents.

    That is of the strategies that go on after the pilot. Counted, not measured, so that the same
    study allocates the same seeds. Where datasets differ in the size of their images, steps are
    weighed by it.

    Args:
        plan: A study with a seed in every setting.
    """
    going_on = (run for run in plan.strategy_runs if plan.spec.goes_on(run.strategy))
    plan = replace(plan, strategy_runs=tuple(going_on))
    group_of = {
        (setting.data, setting.sampling): group
        for setting, group in zip(plan.settings, plan.seed_groups, strict=True)
    }
    pixels = {o.data: math.prod(o.dataset.image_shape) for o in plan.opened}
    costs = [0.0] * (max(plan.seed_groups) + 1)
    for job in plan.jobs:
        trial = job.trial
        if seed_number(trial.seed) == plan.spec.first_seed:
            group = group_of[trial.data, trial.sampling]
            costs[group] += (expected_steps(job) + TRIAL_STEPS) * pixels[trial.data]
    for search in searches_of(plan):
        case = search.case
        if search.runs_to_come and seed_number(case.seed) == plan.spec.first_seed:
            data, sampling = case.setting.data, case.setting.sampling
            steps = expected_steps(plain_run(case)) + TRIAL_STEPS
            costs[group_of[data, sampling]] += search.runs_to_come * steps * pixels[data]
    return tuple(cost / min(pixels.values()) for cost in costs)


def require_same_schedule(declared: DeclaredSchedule, given: Schedule, out: Path) -> None:
    """Refuses another schedule than the one that was declared before the first trial.

    Raises:
        SpecError: If they differ.
    """
    was = declared.looks
    differing = {
        "--margin": (was.margin_pp, given.margin_pp),
        "--seeds": (was.pilot_seeds, given.pilot_seeds),
        "--looks": (_shown(was.pilots), _shown(given.pilots)),
    }
    for option, (before, now) in differing.items():
        if before != now:
            raise SpecError(
                f"{out} holds a study whose schedule was declared before its first trial, with "
                f"{option} {before}, and that holds: give it again instead of {now}, or choose "
                "another --out"
            )


def _require_same_design(recorded: StudyRecord, plan: Plan, out: Path) -> None:
    first = recorded.spec.get("first_seed", 0)
    if plan.spec.first_seed != first:
        raise SpecError(
            f"{out} holds a study whose seeds begin at {first}, and its looks were declared for "
            f"these: give --first-seed {first} instead of {plan.spec.first_seed}, or choose "
            "another --out"
        )
    if tuple(as_recorded(setting) for setting in plan.settings) != recorded.settings:
        raise SpecError(
            f"{out} holds a study whose looks were declared for its "
            f"{counted(len(recorded.settings), 'setting')}, and these hold: give the same "
            "datasets, scales, augmentations and models again, or choose another --out"
        )


def _shown(pilots: Sequence[float]) -> str:
    return " ".join(f"{each:g}" for each in pilots)

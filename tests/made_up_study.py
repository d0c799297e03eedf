"""A made-up study, as rows or as a store."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from metakd.analysis.next_look import look_at
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.schedule import DeclaredSchedule
from metakd.analysis.statistics.looks import Schedule
from metakd.results.look_records import LookRecord, write_looks
from metakd.results.schema import TRIALS
from metakd.results.searches import write_searches
from metakd.results.seeds import SeedStreams, seed_number, stream_key, stream_starts
from metakd.results.study import StudyRecord
from metakd.results.teacher_scores import TeacherScore, write_teachers
from metakd.results.writer import finished_trial, write_study, write_trials

Row = dict[str, Any]
# (method, tau, setting index, seed) -> (validation, test) accuracy.
Accuracy = Callable[[str, float, int, int], tuple[float, float]]
# (trial's row, epoch) -> what the curve says of its teachers.
Weights = Callable[[Row, int], list[Row] | None]

TEST_SAMPLES, STEPS, EPOCHS = 2000, 100, 4
# Strategies of one temperature that have a colour of their own.
USUAL = (
    *("meta", "grid", "fixed", "ce", "grid2d", "random", "optuna", "optuna+asha", "grid+asha"),
    *("pbt", "ctkd", "logit_std", "dkd", "meta-shared", "align"),
)
BLOCK_S = 240.0
"""How long a made-up study runs for each pilot's worth of compute."""


def noisy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
    """A hump over log τ, its top moving with the setting, and noise from the content."""
    code = {"ce": 1, "kd": 2, "mkd": 3}.get(method) or zlib.crc32(method.encode())
    noise = np.random.default_rng([code, int(100 * tau), setting, seed]).normal(0, 0.004, 2)
    top = [1.0, 4.0, 8.0][setting % 3]
    fixed = 0.91 - 0.005 * np.log2(tau / top) ** 2 if method == "kd" else 0.0
    hump = {"ce": 0.88, "mkd": 0.913, "kd": fixed}.get(method, 0.9)
    return float(hump + noise[0]), float(hump + noise[1])


@dataclass(frozen=True)
class MadeUpSegment:
    """A part of a run: from its start, or after ``start`` epochs that another trial paid.

    A whole run of a plain temperature is the grid's own trial. A part that ends early is a trial of
    its own, which the search stopped, unless the whole run is there and ``is_covered`` by it.
    """

    tau: float | None = None
    method: str = "kd"
    until: int = EPOCHS
    start: int = 0
    is_covered: bool = False
    teacher: str | None = None  # asked alone, of the several of the setting


@dataclass(frozen=True)
class MadeUpSearch:
    """What a strategy asked for, the same in every setting and seed."""

    strategy: str
    segments: tuple[MadeUpSegment, ...]
    has_teacher: bool = True
    is_complete: bool = True


@dataclass
class MadeUpStudy:
    scales: tuple[float, ...] = (0.1, 1.0)
    augmentations: tuple[str, ...] = ("none", "strong")
    teachers: tuple[str, ...] = ("big",)
    seeds: int = 4
    temperatures: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    fixed_tau: float = 4.0
    strategies: tuple[str, ...] = ("ce", "fixed", "grid", "meta")
    margin_pp: float = 0.2
    learned_cost: float = 1.6
    accuracy: Accuracy = noisy
    absent: Callable[[Row], bool] = lambda row: False
    overrides: Row = field(default_factory=dict)
    searches: tuple[MadeUpSearch, ...] = ()
    question: str | None = None
    datasets: tuple[str, ...] = ("digits",)
    students: tuple[str, ...] = ("small",)
    teacher_scores: tuple[TeacherScore, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)  # by method, in plain runs
    weights: Weights | None = None
    ends: Callable[[Row], Row] = lambda row: {}  # what else a run ends with
    curve: Callable[[Row, int], Row] = lambda row, epoch: {}  # what else it logs
    seed_streams: SeedStreams = "shared"
    seed_counts: tuple[int, ...] = ()  # by setting; "seeds" in all where empty
    schedule: DeclaredSchedule | None = None
    looks: tuple[LookRecord, ...] = ()
    lists_all: bool = False  # the segments of all strategies, as stores have had since 2026-12

    @property
    def settings(self) -> list[dict[str, Any]]:
        names = ("dataset", "scale", "augmentation", "teacher", "student")
        return [
            dict(zip(names, values, strict=True))
            for values in product(
                self.datasets, self.scales, self.augmentations, self.teachers, self.students
            )
        ]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many seeds each setting has."""
        return self.seed_counts or (self.seeds,) * len(self.settings)

    @property
    def streams(self) -> list[tuple[Any, ...]]:
        """What each setting shares its seeds with."""
        within = QUESTIONS.get(self.question or "", QUESTIONS["grid_vs_meta"]).shares_seeds_over
        return [
            stream_key(within, self.seed_streams, s["dataset"], s["scale"], s["augmentation"])
            for s in self.settings
        ]

    def seeds_of(self, index: int) -> list[tuple[int, int]]:
        """The seeds of a setting: their numbers in its stream, and the seeds themselves."""
        start = stream_starts(self.streams)[self.streams[index]]
        return [(number, start + number) for number in range(self.counts[index])]

    def rows(self) -> list[Row]:
        return [row for row in self._all_rows() if not self.absent(row)]

    def record(self) -> StudyRecord:
        return StudyRecord(
            study="made up",
            created="2026-01-01T00:00:00+00:00",
            spec={
                "temperatures": list(self.temperatures),
                "fixed_tau": self.fixed_tau,
                "strategies": [*self.strategies, *(s.strategy for s in self.searches)],
                "margin_pp": self.margin_pp,
                **({"question": self.question} if self.question else {}),
                **({"seed_streams": "own"} if self.seed_streams == "own" else {}),
            },
            settings=tuple(self.settings),
            seeds=tuple(range(max(self.counts))),
            planned_trials=tuple(row["trial_id"] for row in self._planned_rows()),
            versions={"numpy": "2"},
            git_commit="abc",
            command="python studies/made_up.py",
            seed_counts=self.seed_counts,
            schedule=None if self.schedule is None else self.schedule.as_json(),
        )

    def write(self, out: Path) -> Path:
        write_study(out, self.record())
        if self.teacher_scores:
            write_teachers(out, self.teacher_scores)
        for row in self.rows():
            write_trials(out, [finished_trial(row, list(self._steps(row)))])
        if self.search_rows():
            write_searches(out, self.search_rows())
        if self.looks:
            write_looks(out, self.looks)
        return out

    def search_rows(self) -> list[Row]:
        """What the table of searches holds."""
        planned = self._planned_segments() if self.lists_all else ()
        return [*planned, *(search for search, _ in self._searched())]

    def _planned_segments(self) -> Iterator[Row]:
        """The segments of the four strategies that older stores have as planned trials alone."""
        taus = {"ce": (None,), "meta": (self.fixed_tau,), "fixed": (self.fixed_tau,)}
        taus["grid"] = tuple(sorted(self.temperatures))
        methods = {"ce": "ce", "meta": "mkd"}
        names = ("dataset", "scale", "augmentation", "teacher", "student", "seed", "trial_id")
        for strategy in self.strategies:
            for row in self._planned_rows():
                is_its = row["method"] == methods.get(strategy, "kd")
                if is_its and row["tau_s_init"] in taus[strategy]:
                    yield {name: row[name] for name in names} | {
                        "strategy": strategy,
                        "position": taus[strategy].index(row["tau_s_init"]),
                        "from_epoch": 0,
                        "until_epoch": EPOCHS,
                        "is_complete": True,
                    }

    def _all_rows(self) -> list[Row]:
        rows = [*self._planned_rows(), *(row for _, row in self._searched())]
        return list({row["trial_id"]: row for row in rows}.values())

    def _searched(self) -> Iterator[tuple[Row, Row]]:
        """Each row of the table of searches, with its trial's."""
        for search in self.searches:
            for index, setting in enumerate(self.settings):
                if not search.has_teacher and setting["teacher"] != self.teachers[0]:
                    continue
                numbers = self.seeds_of(index)
                for (number, seed), (position, segment) in product(
                    numbers, enumerate(search.segments)
                ):
                    teacher = setting["teacher"] if search.has_teacher else None
                    asked = {"teacher": segment.teacher or teacher}
                    row = self._segment_row(segment, index, setting | asked, number, seed)
                    yield (
                        setting
                        | {
                            "strategy": search.strategy,
                            "teacher": teacher,
                            "seed": seed,
                            "position": position,
                            "trial_id": row["trial_id"],
                            "from_epoch": segment.start,
                            "until_epoch": segment.until,
                            "is_complete": search.is_complete,
                        },
                        row,
                    )

    def _segment_row(
        self, segment: MadeUpSegment, index: int, setting: Row, number: int, seed: int
    ) -> Row:
        made = self._row(segment.method, segment.tau, index, setting, number, seed)
        row = dict.fromkeys(TRIALS.names) | made
        row |= {"teacher": setting["teacher"]} | self.overrides
        row |= self.ends(row)
        if segment.until == EPOCHS or segment.is_covered:
            return row
        share = segment.until / EPOCHS
        costs = ("step_equivalents", "student_compute_s", "wall_s")
        unknown = ("val_acc_last", "test_acc_last", "val_acc_selected", "test_acc_selected")
        return (
            row
            | {"trial_id": f"{row['trial_id']}-until-{segment.until}", "status": "stopped"}
            | {"epochs": segment.until, "steps": round(share * STEPS)}
            | {name: share * row[name] for name in costs}
            | dict.fromkeys(unknown)
        )

    def _planned_rows(self) -> list[Row]:
        runs = [("ce", None)] if "ce" in self.strategies else []
        kept = set(self.temperatures if "grid" in self.strategies else ())
        kept |= {self.fixed_tau} if "fixed" in self.strategies else set()
        runs += [("kd", tau) for tau in sorted(kept)]
        runs += [("mkd", self.fixed_tau)] if "meta" in self.strategies else []
        return [
            dict.fromkeys(TRIALS.names)
            | self._row(method, tau, index, setting, number, seed)
            | self.overrides
            for index, setting in enumerate(self.settings)
            for number, seed in self.seeds_of(index)
            for method, tau in runs
            # A run without a teacher is the same beside every teacher.
            if method != "ce" or setting["teacher"] == self.teachers[0]
        ]

    def _row(
        self,
        method: str,
        tau: float | None,
        index: int,
        setting: dict[str, Any],
        number: int,
        seed: int,
    ) -> Row:
        validation, test = self.accuracy(method, tau or 0.0, index, number)
        cost = self.learned_cost if method == "mkd" else self.costs.get(method, 1.0)
        return setting | {
            "trial_id": f"{method}-{tau}-{index}-{number}",
            "pair_id": f"{index}-{number}",
            "status": "done",
            "teacher": None if method == "ce" else setting["teacher"],
            "seed": seed,
            "method": method,
            "tau_s_init": tau,
            "tau_t_init": tau,
            "tau_s_last": tau and tau + 1 if method == "mkd" else tau,
            "tau_t_last": tau and tau - 1 if method == "mkd" else tau,
            "val_acc_last": validation,
            "test_acc_last": test,
            "val_acc_selected": validation + 0.001,
            "test_acc_selected": test + 0.0005,
            "train_samples": round(1000 * setting["scale"]),
            "validation_samples": round(200 * setting["scale"]),
            "validation_samples_learned": 0,
            "test_samples": TEST_SAMPLES,
            "epochs": EPOCHS,
            "steps": STEPS,
            "step_equivalents": STEPS * cost,
            "student_compute_s": 2.0 * cost,
            "wall_s": 3.0 * cost,
        }

    def val_acc(self, row: Row, epoch: int) -> float:
        """Rises to the last epoch's accuracy, after a dip that is no new best."""
        # A trial that was stopped has no last accuracy on record.
        last = row["val_acc_last"] or 0.9
        return last * (0.5, 0.8, 0.7, 1.0)[epoch]

    def _steps(self, row: Row) -> Iterator[Row]:
        for epoch in range(row["epochs"]):
            learned = {
                "tau_s": 4.0 + epoch / 4,
                "tau_t": max(0.5, 4.0 - seed_number(row["seed"]) * epoch / 4),
            }
            yield {
                "trial_id": row["trial_id"],
                "step": 25 * (epoch + 1),
                "epoch": epoch,
                "val_acc": self.val_acc(row, epoch),
                **(learned if row["method"] == "mkd" else {}),
                "teacher_weights": self.weights(row, epoch) if self.weights else None,
                **self.curve(row, epoch),
            }


def declared(
    study: MadeUpStudy, margin_pp: float, pilots: tuple[float, ...], pilot_seeds: int = 4
) -> DeclaredSchedule:
    """A schedule for a study, whose seeds cost by the scale."""
    cost = {key: s["scale"] for key, s in zip(study.streams, study.settings, strict=True)}
    return DeclaredSchedule(Schedule(margin_pp, pilot_seeds, pilots), tuple(cost.values()))


def gapped(gap_pp: float, noise: float) -> Accuracy:
    """Learning is so far ahead of the grid; one setting varies more than the others."""

    def accuracy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        code = [zlib.crc32(method.encode()), int(100 * tau), setting, seed]
        own = np.random.default_rng(code).normal(0, noise * (2.0 if setting == 1 else 0.5), 2)
        # Validation is in no doubt which temperature is best, so the grid's winner is not lucky.
        grid = 0.91 - 0.02 * abs(np.log2((tau or 4) / 4))
        base = {"mkd": 0.91 + gap_pp / 100, "ce": 0.88}.get(method, grid)
        return float(base + own[0] / 10), float(base + own[1])

    return accuracy


def deciding_study(
    gap_pp: float,
    noise: float,
    margin_pp: float = 0.3,
    pilots: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0),
    **changes: Any,
) -> MadeUpStudy:
    """A study with a schedule, of which no look was taken yet."""
    usual: dict[str, Any] = {
        "accuracy": gapped(gap_pp, noise),
        "margin_pp": margin_pp,
        "seed_streams": "own",
    }
    study = MadeUpStudy(**(usual | changes))
    return replace(study, schedule=declared(study, margin_pp, pilots))


def taking_looks(study: MadeUpStudy, out: Path, most: int | None = None) -> MadeUpStudy:
    """Takes a study's looks as they fall due, at most so many; returns it as it then stands.

    Its store in ``out`` holds the seeds of the last look, and none of the block after it.
    """
    assert study.schedule is not None
    schedule = study.schedule.looks
    counts = (schedule.pilot_seeds,) * len(study.settings)
    study = replace(study, seed_counts=counts, seed_streams="own")
    for pilots in schedule.pilots[:most]:
        study.write(out)
        study = replace(study, looks=(*study.looks, look_at(out, study.looks, BLOCK_S * pilots)))
        write_looks(out, study.looks)
        if not study.looks[-1].next_seed_counts or len(study.looks) == most:
            break
        study = replace(study, seed_counts=study.looks[-1].next_seed_counts)
    return study

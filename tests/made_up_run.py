"""Runs of studies that decide, whose students are made up and really committed."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from metakd.core.evaluation import Evaluation
from metakd.core.training import EpochRecord
from metakd.data.datasets import ImageDataset
from metakd.results.reader import finished_trials, read_study
from metakd.results.study import STUDY_FILE
from metakd.study.blocks import Blocks
from metakd.study.cases import Job
from metakd.study.curves import Curves
from metakd.study.options import BankPolicy, UntilDecided
from metakd.study.plan import Plan, make_plan
from metakd.study.record import record_searches, record_study
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.train.commit import commit, record_failure, result_of
from metakd.train.epochs import Epoch
from metakd.train.folder import StudyFolder
from metakd.train.student import Outcome
from metakd.train.trial import Trial

SPEC = StudySpec(
    name="s",
    scales=(0.1, 0.3),
    augmentations=("none", "standard"),
    strategies=("fixed", "grid", "meta"),
    temperatures=(1.0, 4.0),
    seeds=4,
    epochs=1,
    margin_pp=1.0,
)
LIVE = BankPolicy("live")
LOOKS = UntilDecided(pilots=(1.0, 2.0, 3.0, 4.0))
TEST_SAMPLES = 5000
Fails = Callable[[Trial], bool]


def accuracy(trial: Trial, learned_pp: float) -> float:
    """Noise by content; learned temperatures are so many points ahead."""
    digest = hashlib.sha256(trial.id.encode()).digest()
    noise = np.random.default_rng(int.from_bytes(digest[:8], "big")).normal()
    spread = 0.012 if trial.sampling.scale < 0.2 else 0.004
    ahead = learned_pp / 100 if trial.distiller.method == "mkd" else 0.0
    return float(np.round((0.8 + ahead + spread * noise) * TEST_SAMPLES) / TEST_SAMPLES)


def outcome(trial: Trial, learned_pp: float) -> Outcome:
    found = Evaluation(accuracy(trial, learned_pp), 0.5)
    record = EpochRecord(0, 10, 0.1, 1.0, 1.0, None, None, None, None, 0, 0, 10.0, 0.1)
    return Outcome(
        epochs=(Epoch(record, found, 0.1),),
        selected_epoch=0,
        test_last=found,
        test_selected=found,
        teacher_test=None,
        train_samples=100,
        validation_samples=20,
        validation_samples_learned=0,
        test_samples=TEST_SAMPLES,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        wall_s=0.1,
        device="cpu",
        precision="float32",
        workers=1,
    )


class MadeUpRun:
    """A run of a study whose students are made up; it may be killed after some trials."""

    def __init__(
        self,
        out: Path,
        digits: ImageDataset,
        spec: StudySpec = SPEC,
        budget: UntilDecided = LOOKS,
        learned_pp: float = 0.0,
        fails: Fails = lambda trial: False,
    ) -> None:
        self.folder = StudyFolder(out)
        self.learned_pp, self.fails = learned_pp, fails
        self.console = Console(record=True, width=200)
        self.laid_out: list[tuple[int, ...]] = []

        def plan_of(seed_counts: Sequence[int]) -> Plan:
            self.laid_out.append(tuple(seed_counts))
            return make_plan(spec, [digits], LIVE, seed_counts)

        recorded = read_study(out) if (out / STUDY_FILE).exists() else None
        self.blocks = Blocks(plan_of, spec, recorded, budget, self.folder, self.console)
        plan, finished = self.blocks.plan, finished_trials(out)
        record_study(plan, out, self.blocks.declared)
        searches = searches_of(plan)
        going_on = [search for search in searches if spec.goes_on(search.name)]
        self.scheduler = Scheduler(Curves(self.folder, finished), going_on)
        self.scheduler.hold(search for search in searches if search not in going_on)
        record_searches(self.scheduler, self.folder)
        self.ran: list[str] = []

    def go_on(self, trials: int = 10**6) -> "MadeUpRun":
        """Runs so many trials at most, and then is gone without a word."""
        self.scheduler.when_over(lambda: self.blocks.extend(self.scheduler) and None)
        if self.scheduler.is_over:
            self.blocks.extend(self.scheduler)
        while not self.scheduler.is_over and len(self.ran) < trials:
            job = self.scheduler.next_job()
            assert isinstance(job, Job)
            self.ran.append(job.trial.id)
            if self.fails(job.trial):
                record_failure(job.trial, "made up", self.folder, "")
                self.scheduler.failed(job)
            else:
                made_up = outcome(job.trial, self.learned_pp)
                commit([(job.trial, result_of(job.trial, made_up, ""))], self.folder)
                self.scheduler.done(job)
        if self.scheduler.is_over:
            record_searches(self.scheduler, self.folder)
        return self

    @property
    def printed(self) -> str:
        return self.console.export_text(clear=False)

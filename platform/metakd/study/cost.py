"""What a plan's trials cost, counted in steps of their students before any of them runs."""

from collections.abc import Iterator
from functools import cache

from metakd.core.distillers import DistillerConfig, KDConfig
from metakd.strategies import Segment
from metakd.study.cases import Case, Job
from metakd.study.scheduler import Scheduler

HOUR_S = 3600.0


def expected_steps(job: Job) -> float:
    """Returns a job's cost in student-step equivalents, from where it goes on."""
    looked_ahead = job.trial.distiller.look_ahead_equivalents(
        steps_of_learning(job), job.batch_size
    )
    return job.steps + looked_ahead


def steps_of_learning(job: Job) -> int:
    """Returns its steps in epochs that have look-aheads: all, but in a teacher's warm-up none."""
    epochs = range(job.from_epoch, job.trial.epochs)
    learning = _learning_epochs(job.trial.distiller, epochs, job.trial.recipe.epochs)
    return job.steps * learning // max(len(epochs), 1)


@cache
def _learning_epochs(distiller: DistillerConfig, epochs: range, of: int) -> int:
    return sum(not distiller.is_frozen(epoch, of) for epoch in epochs)


def live_teacher_passes(job: Job) -> float:
    """Returns how often each live teacher passes a batch forward; a backward pass is two."""
    if not job.live_teachers:
        return 0.0
    distiller, learning = job.trial.distiller, steps_of_learning(job)
    # A bank has the logits of a teacher that does not change yet.
    is_banked = distiller.moves_teacher and job.bank is not None
    taught = learning if is_banked else job.steps
    return taught + distiller.teacher_passes(learning, job.batch_size)


def plain_run(case: Case) -> Job:
    """Returns a whole run at a fixed temperature: the unit that searches are charged in."""
    return case.job(
        Segment(KDConfig(), teacher=0) if case.setting.teachers else Segment(KDConfig())
    )


def work_left(scheduler: Scheduler) -> Iterator[tuple[Job, float]]:
    """Yields what is expected to run yet, and how often: what is known, then what searches add."""
    for job in scheduler.known():
        yield job, 1.0
    for search in scheduler.unfinished():
        if search.runs_to_come:
            yield plain_run(search.case), search.runs_to_come


def steps_left(scheduler: Scheduler) -> float:
    """Returns what is expected to run yet, in student-step equivalents."""
    return sum(runs * expected_steps(job) for job, runs in work_left(scheduler))

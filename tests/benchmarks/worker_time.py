"""Divides the time of a study's workers by what it went into.

Each trial and teacher holds one of the workers of its machine from its beginning to its end. The
next one goes to a worker that is free; of several that are free, to the one that was freed last.
Where a worker holds nothing, its time is divided by what came next:

- the end of a teacher's training: it had waited for that teacher;
- a file of a bank: it had prepared that bank since it was free, or since the teacher had ended. Of
  several workers that were free, the one that then got the next job is taken to have done so;
- a look: it had waited for the last trial before it, and waits until anything begins after it;
- the end of the study: it had waited for the last trial;
- a trial or a teacher: that is a gap between two jobs; the start of a process is in it, where
  a worker gets a new one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from study_times import COARSE_S, BankFile, Job, StudyTimes, TimesError

COMPUTE = "students compute"
BESIDE = "trials beside it: evaluation, saving, test"
TEACHERS = "teachers train"
BANKS = "banks are prepared"
AWAITS_TEACHER = "waits for a teacher"
BETWEEN = "between two jobs of a worker"
BEFORE_LOOK = "waits for the last trial before a look"
LOOK = "waits for the next job after a look"
TAIL = "waits for the last trial of all"
KINDS = (COMPUTE, BESIDE, TEACHERS, BANKS, AWAITS_TEACHER, BETWEEN, BEFORE_LOOK, LOOK, TAIL)
"""In the order of the table."""


@dataclass
class Worker:
    """A worker of a machine, with the jobs that it had, one after the other."""

    host: str
    jobs: list[Job] = field(default_factory=list)

    @property
    def freed(self) -> float:
        """When its last job ended."""
        return self.jobs[-1].ended if self.jobs else float("-inf")


@dataclass
class Gap:
    """Time in which a worker had neither trial nor teacher, with the bank files written in it."""

    began: float
    ended: float
    is_last: bool = False
    files: list[BankFile] = field(default_factory=list)


def busy_at_most(times: StudyTimes) -> dict[str, int]:
    """Returns how many jobs each machine had at once at most; teachers count for the first."""
    hosts = sorted({str(trial.host) for trial in times.trials})
    return {host: _at_once(_jobs_on(times, host, host == hosts[0])) for host in hosts}


def divide(times: StudyTimes, workers: Mapping[str, int]) -> dict[str, list[float]]:
    """Divides the time of all workers from the first job to the last trial's end.

    Args:
        times: When the jobs ran.
        workers: How many workers each machine had.

    Returns:
        Of each of ``KINDS`` the seconds of its pieces; all of them add up to the number of workers
        times that time.

    Raises:
        TimesError: If more jobs ran at once.
    """
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    assigned = assign(times, workers)
    for job in (job for worker in assigned for job in worker.jobs):
        if job.is_teacher:
            found[TEACHERS].append(job.seconds)
        else:
            found[COMPUTE].append(job.compute_s)
            found[BESIDE].append(job.seconds - job.compute_s)
    gaps = [gap for worker in assigned for gap in _gaps(worker, times.began, times.ended)]
    for file in sorted(times.bank_files, key=lambda file: file.written):
        around = [gap for gap in gaps if gap.began < file.written <= gap.ended + COARSE_S]
        # The job that follows in its worker begins at once.
        if around:
            min(around, key=lambda gap: gap.ended).files.append(file)
    after_look = {look: _next_begin(look, times) for look in times.looks}
    for gap in gaps:
        for kind, seconds in _parts(gap, times, after_look):
            if seconds > 0:
                found[kind].append(seconds)
    return found


def assign(times: StudyTimes, workers: Mapping[str, int]) -> list[Worker]:
    """Returns the workers with their jobs.

    Args:
        times: When the jobs ran.
        workers: How many workers each machine had.

    Raises:
        TimesError: If more jobs ran at once.
    """
    made = [Worker(host) for host, count in workers.items() for _ in range(count)]
    for job in sorted((*times.trials, *times.teachers), key=lambda job: job.began):
        own = [worker for worker in made if job.host in (None, worker.host)]
        free = [worker for worker in own if worker.freed <= job.began + COARSE_S]
        if not free:
            raise TimesError(f"more jobs ran at once than on {sum(workers.values())} worker(s)")
        worker = max(free, key=lambda worker: worker.freed)
        worker.jobs.append(replace(job, began=max(job.began, worker.freed)))
    return made


def _parts(
    gap: Gap, times: StudyTimes, after_look: Mapping[float, float]
) -> Iterator[tuple[str, float]]:
    """Yields what a gap is divided into, in the order of time."""
    if gap.is_last:
        yield TAIL, gap.ended - gap.began
        return
    # When something that it waited for came to its end, and since when this is certain.
    marks = [(min(file.written, gap.ended), BANKS, file.after) for file in gap.files]
    for teacher in times.teachers:
        if not any(file.after < teacher.ended < file.written for file in gap.files):
            marks.append((teacher.ended, AWAITS_TEACHER, gap.began))
    for look, following in after_look.items():
        marks += [(look, BEFORE_LOOK, gap.began), (min(following, gap.ended), LOOK, look)]
    at = gap.began
    for moment, kind, since in sorted(marks):
        if at <= moment <= gap.ended:
            since = min(max(at, since), moment)
            yield BETWEEN, since - at
            yield kind, moment - since
            at = moment
    yield BETWEEN, gap.ended - at


def _gaps(worker: Worker, began: float, ended: float) -> Iterator[Gap]:
    at = began
    for job in worker.jobs:
        yield Gap(at, max(at, job.began))
        at = job.ended
    yield Gap(at, ended, is_last=True)


def _next_begin(moment: float, times: StudyTimes) -> float:
    """Returns when anything began after a moment; infinity where nothing did."""
    begins = [job.began for job in (*times.trials, *times.teachers)]
    begins += [file.after for file in times.bank_files]
    return min((began for began in begins if began > moment), default=float("inf"))


def _jobs_on(times: StudyTimes, host: str, with_teachers: bool) -> list[Job]:
    jobs = [trial for trial in times.trials if trial.host == host]
    return [*jobs, *times.teachers] if with_teachers else jobs


def _at_once(jobs: Sequence[Job]) -> int:
    changes: dict[float, int] = defaultdict(int)
    for job in jobs:
        changes[job.began + COARSE_S] += 1
        changes[job.ended] -= 1
    running, most = 0, 1
    for moment in sorted(changes):
        running += changes[moment]
        most = max(most, running)
    return most

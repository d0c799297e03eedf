"""Searches on a scheduler, told made-up accuracies: what is asked, shared, resumed and paid."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from refilled_scheduler import SchedulerOfJobs

from metakd.core.distillers import (
    CONFIGS,
    CrossEntropyConfig,
    DistillerConfig,
    KDConfig,
    KDScheduleConfig,
)
from metakd.core.training import Recipe
from metakd.strategies import STRATEGIES, Segment
from metakd.study.cases import Case, Job, Setting
from metakd.study.curves import Curves
from metakd.study.preparation import OutputsJob, TeacherJob, ViewsJob
from metakd.study.scheduler import AnyJob, Scheduler
from metakd.study.searching import Searching
from metakd.study.spec import StudySpec
from metakd.train.bank_building import BankContent
from metakd.train.content import as_json, from_json
from metakd.train.folder import StudyFolder
from metakd.train.sampling import Sampling
from metakd.train.student import Bank
from metakd.train.trial import DataSpec, TeacherSpec, Trial

EPOCHS = 18
DATA = DataSpec("made up", "0")
RECIPE = Recipe(epochs=EPOCHS)
SETTING = Setting(
    DATA, Sampling(1.0, "none"), (TeacherSpec(DATA, "teacher", "none", RECIPE),), "student"
)
TAUS = (1.0, 2.0, 4.0, 8.0, 16.0)


def a_case(seed: int = 0) -> Case:
    return Case(
        SETTING, RECIPE, seed, (1, 8, 8), 10, None, samples=100, held_out=20, train_samples=100
    )


def tau_of(trial: Trial) -> float:
    distiller = trial.distiller
    if isinstance(distiller, KDScheduleConfig):
        return distiller.tau_at(trial.epochs - 1)
    assert isinstance(distiller, KDConfig)
    return distiller.tau_s


class MadeUpCurves(Curves):
    """The higher the temperature, the better; and a little by the epoch."""

    def __init__(self) -> None:
        super().__init__(StudyFolder(Path("nowhere")), ())

    def val_acc(self, trial: Trial) -> float | None:
        if self._covering(trial) is None:
            return None
        return 0.5 + tau_of(trial) / 100 + trial.epochs / 1000


def searching(name: str, case: Case | None = None, **choice: object) -> Searching:
    case = case or a_case()
    spec = StudySpec(name="s", temperatures=TAUS, **choice)  # type: ignore[arg-type]
    return Searching(name, STRATEGIES[name], case, case.choices(name, spec))


def jobs_of(scheduler: Scheduler) -> Iterator[Job]:
    """Runs a scheduler's jobs one after the other."""
    while (job := scheduler.next_job()) is not None:
        yield job
        scheduler.done(job)
    assert scheduler.is_over


def spent(search: Searching) -> float:
    return sum(job.trial.epochs - job.from_epoch for job in search.behind) / EPOCHS


def grid_jobs(case: Case) -> list[Job]:
    return [case.job(Segment(KDConfig(tau, tau))) for tau in TAUS]


def test_tpe_asks_run_after_run_and_sees_what_it_was_told() -> None:
    first, last = [], []
    for seed in range(6):
        search = searching("optuna", a_case(seed), budget=12.0)
        scheduler = Scheduler(MadeUpCurves(), [search])
        taus = []
        for job in jobs_of(scheduler):
            assert len(scheduler.known()) == 0
            taus.append(tau_of(job.trial))
        assert len(taus) == len(set(taus)) == 12
        assert all(1 <= tau <= 16 for tau in taus)
        first += taus[:4]
        last += taus[-4:]
    # Accuracy rises with τ: it has moved there.
    assert np.mean(last) > 1.3 * np.mean(first)


def test_early_stopping_of_the_grid_uses_the_grids_own_runs() -> None:
    case = a_case()
    search = searching("grid+asha", case)
    scheduler = Scheduler(MadeUpCurves(), [searching("grid", case), search])
    ran = [job.trial.id for job in jobs_of(scheduler)]
    assert ran == [job.trial.id for job in grid_jobs(case)]
    assert search.is_complete
    assert spent(search) < 5
    whole = set(ran)
    assert {row["trial_id"] for row in scheduler.rows()} <= whole


def test_early_stopping_alone_runs_each_only_as_far_as_it_is_among_the_best() -> None:
    search = searching("grid+asha")
    scheduler = Scheduler(MadeUpCurves(), [search])
    ran = [(tau_of(job.trial), job.from_epoch, job.trial.epochs) for job in jobs_of(scheduler)]
    order = list(dict.fromkeys(tau for tau, _, _ in ran))
    assert sorted(order) == list(TAUS)
    # Rungs at 2, 6 and 18 of 18 epochs: a new best goes on, and others stop at the first rung,
    # but for the third of three, which stands on the cut.
    reached = {tau: max(until for t, _, until in ran if t == tau) for tau in order}
    assert reached[order[0]] == EPOCHS
    for place, tau in enumerate(order[1:], 1):
        if tau > max(order[:place]):
            assert reached[tau] == EPOCHS
        if tau < min(order[:place]):
            assert reached[tau] == 2
    segments = [segment for segment in ran if segment[0] == order[0]]
    assert [(start, end) for _, start, end in segments] == [(0, 2), (2, 6), (6, 18)]


@pytest.mark.parametrize("name", ["optuna+asha", "pbt", "random", "optuna", "grid2d"])
@pytest.mark.parametrize("budget", [4.0, 5.0, 6.7])
def test_searchers_stop_at_their_budget(name: str, budget: float) -> None:
    search = searching(name, budget=budget)
    for _ in jobs_of(Scheduler(MadeUpCurves(), [search])):
        pass
    assert (search.waits_for, search.runs_to_come) == ([], 0)
    assert spent(search) <= budget + 1e-9
    # None leaves a run unspent that it could have had.
    whole = {"grid2d": 4, "optuna+asha": budget}.get(name, int(budget))
    assert spent(search) > whole - 1
    assert any(job.trial.stop_after is None for job in search.behind)


def test_the_worst_of_a_population_copies_the_best_and_goes_on_from_there() -> None:
    # A copy at the end of the range may be the best one itself: then a round has fewer.
    for seed in range(20):
        search = searching("pbt", a_case(seed), budget=4.0)
        rounds: dict[int, list[Job]] = {}
        for job in jobs_of(Scheduler(MadeUpCurves(), [search])):
            rounds.setdefault(job.trial.epochs, []).append(job)
        if all(len(jobs) == 4 for jobs in rounds.values()):
            break
    ends = sorted(rounds)
    assert all(len(rounds[end]) == 4 for end in ends)
    for before, after in pairwise(ends):
        ranked = sorted(rounds[before], key=lambda job: tau_of(job.trial))
        best, worst = ranked[-1].trial, ranked[0].trial
        trainings = {job.trial.origins for job in rounds[after]}
        going_on = {own for ((own, _), *_) in trainings}
        assert best.whole.id in going_on
        copies = [job for job in rounds[after] if job.trial.whole.id not in
                  {j.trial.whole.id for j in rounds[before]}]  # fmt: skip
        # One in four is replaced: it has the best one's schedule, and another temperature after it.
        for copy in copies:
            assert copy.trial.origins[1] == (best.whole.id, before)
            assert copy.from_epoch == before
        assert len(copies) <= 1
        lowest = [job for job in ranked if tau_of(job.trial) == tau_of(worst)]
        assert copies == [] or len(lowest) > 1 or worst.whole.id not in going_on
    assert any(isinstance(job.trial.distiller, KDScheduleConfig) for job in rounds[EPOCHS])


@pytest.mark.parametrize("name", ["optuna+asha", "pbt", "optuna", "grid+asha"])
@pytest.mark.parametrize("stopped_after", [0, 1, 7])
def test_a_search_that_was_stopped_goes_on_with_what_it_knew(name: str, stopped_after: int) -> None:
    undisturbed = searching(name)
    for _ in jobs_of(Scheduler(MadeUpCurves(), [undisturbed])):
        pass
    curves = MadeUpCurves()
    first = Scheduler(curves, [searching(name)])
    ran: list[str] = []
    for job, _ in zip(jobs_of(first), range(stopped_after + 1), strict=False):
        ran.append(job.trial.id)
    # What was under way when it stopped is not in the store.
    again = searching(name)
    scheduler = Scheduler(curves, [again])
    ran[-1:] = [job.trial.id for job in jobs_of(scheduler)]
    assert [job.trial.id for job in again.behind] == [j.trial.id for j in undisturbed.behind]
    assert len(ran) == len(set(ran))
    assert Scheduler(curves, [searching(name)]).is_over


def test_a_failed_run_holds_up_its_search_alone() -> None:
    held, other = searching("optuna"), searching("random", a_case(seed=1))
    scheduler = Scheduler(MadeUpCurves(), [held, other])
    failing = scheduler.next_job()
    assert failing is not None
    scheduler.failed(failing)
    for _ in jobs_of(scheduler):
        pass
    assert (held.is_complete, other.is_complete) == (False, True)
    rows = [row for row in scheduler.rows() if row["strategy"] == "optuna"]
    assert [(row["trial_id"], row["is_complete"]) for row in rows] == [(failing.trial.id, False)]


def test_what_is_put_back_comes_next_and_holds_the_board_open() -> None:
    jobs = grid_jobs(a_case())
    scheduler = SchedulerOfJobs(MadeUpCurves(), jobs)
    first = scheduler.next_job()
    assert first == jobs[0]
    assert scheduler.waiting() == len(jobs) - 1
    scheduler.put_back(first)
    assert scheduler.waiting() == len(jobs)
    assert list(jobs_of(scheduler)) == jobs
    # The last one is waited for while nothing else is left.
    scheduler = SchedulerOfJobs(MadeUpCurves(), jobs[:1])
    assert scheduler.next_job() == first
    scheduler.put_back(first)
    assert not scheduler.is_over
    assert list(jobs_of(scheduler)) == [first]


def test_seeds_come_in_order_and_first_those_after_which_a_strategy_goes_on() -> None:
    ended: list[str] = []
    scheduler = Scheduler(
        MadeUpCurves(),
        [
            searching(name, a_case(seed), budget=2.0)
            for seed in (1, 0)
            for name in ("fixed", "optuna")
        ],
        lambda search: ended.append(f"{search.name} {search.case.seed}"),
    )
    ran = [(job.trial.seed, tau_of(job.trial) == 4.0) for job in jobs_of(scheduler)]
    # The last run of a search comes after what was known before it.
    assert ran == [(0, False), (0, True), (0, False), (1, False), (1, True), (1, False)]
    assert ended == ["fixed 0", "optuna 0", "fixed 1", "optuna 1"]


def test_what_a_search_will_spend_is_told_before() -> None:
    search = searching("pbt", budget=4.0)
    # Four members to the end of the first of eight rounds, and all that comes after.
    assert [job.trial.epochs for job in search.waits_for] == [2] * 4
    assert search.runs_to_come == pytest.approx(4 * 16 / 18)
    scheduler = Scheduler(MadeUpCurves(), [search])
    job = scheduler.next_job()
    assert job is not None
    scheduler.done(job)
    assert len(search.waits_for) == 3
    assert search.runs_to_come == pytest.approx(4 * 16 / 18)
    assert scheduler.unfinished() == [search]


def test_random_draws_differ_between_seeds_and_not_between_runs() -> None:
    taus: Callable[[int], list[float]] = lambda seed: [  # noqa: E731
        tau_of(job.trial)
        for job in jobs_of(Scheduler(MadeUpCurves(), [searching("random", a_case(seed))]))
    ]
    assert taus(0) == taus(0)
    assert not set(taus(0)) & set(taus(1))


BANK = Bank("bank", has_views=True)
CONTENT = BankContent(DATA, Sampling(1.0, "none"), RECIPE, seed=0)
(TEACHER,) = SETTING.teachers
TEACHING = TeacherJob(TEACHER)
VIEWS = ViewsJob("bank", CONTENT)
OUTPUTS = OutputsJob("bank", CONTENT, TEACHER, with_features=False)


def planned(seed: int, bank: Bank | None, distiller: DistillerConfig) -> Job:
    case = replace(a_case(seed), bank=bank)
    return (case if distiller.uses_teacher else case.without_teacher).job(Segment(distiller))


def test_a_trial_waits_for_its_own_preparations_and_for_no_others() -> None:
    alone, taught = (planned(0, BANK, each) for each in (CrossEntropyConfig(), KDConfig()))
    live = planned(1, None, KDConfig())
    scheduler = SchedulerOfJobs(MadeUpCurves(), [taught, alone, live])
    scheduler.prepare([OUTPUTS, VIEWS, TEACHING])
    assert not scheduler.is_prepared
    # The teacher comes first, whatever order they were put up in; logits need it and the views.
    assert [scheduler.next_job() for _ in range(3)] == [TEACHING, VIEWS, None]
    scheduler.done(VIEWS)
    assert [scheduler.next_job(), scheduler.next_job()] == [alone, None]
    scheduler.done(TEACHING)
    assert [scheduler.next_job() for _ in range(3)] == [OUTPUTS, live, None]
    scheduler.done(OUTPUTS)
    assert scheduler.is_prepared
    assert [scheduler.next_job(), scheduler.next_job()] == [taught, None]
    for job in (alone, live, taught):
        assert not scheduler.is_over
        scheduler.done(job)
    assert scheduler.is_over


def test_a_preparation_that_failed_is_the_next_one_again() -> None:
    scheduler = SchedulerOfJobs(MadeUpCurves(), [planned(0, BANK, KDConfig())])
    scheduler.prepare([VIEWS, OUTPUTS])
    assert [scheduler.next_job(), scheduler.next_job()] == [VIEWS, None]
    scheduler.put_back(VIEWS)
    assert [scheduler.next_job(), scheduler.next_job()] == [VIEWS, None]


def test_preparations_can_be_moved_to_a_scheduler_of_their_own() -> None:
    taught = planned(0, BANK, KDConfig())
    scheduler, alone = SchedulerOfJobs(MadeUpCurves(), [taught]), Scheduler(MadeUpCurves())
    scheduler.prepare([TEACHING, VIEWS, OUTPUTS])
    alone.prepare(scheduler.take_preparations())
    assert scheduler.next_job() == taught
    for expected in (TEACHING, VIEWS, OUTPUTS):
        assert not alone.is_over
        job = alone.next_job()
        assert job == expected
        alone.done(job)
    assert alone.is_over


@pytest.mark.parametrize(
    "job",
    [
        TEACHING,
        VIEWS,
        OUTPUTS,
        planned(0, BANK, KDScheduleConfig(((0, 4.0), (2, 1e-45)))),
        planned(1, None, CrossEntropyConfig()),
        *(
            planned(0, BANK, config())
            for config in CONFIGS.values()
            if config.method != "kd_schedule"
        ),
    ],
)
def test_a_job_is_the_same_after_its_way_to_a_process_as_plain_text(job: AnyJob) -> None:
    again = from_json(as_json(job))
    assert again == job
    assert again.id == job.id
    assert hash(again) == hash(job)

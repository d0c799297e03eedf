"""Blocks of seeds and the looks after them, over trials that are made up and really committed."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest
from made_up_run import LIVE, LOOKS, SPEC, MadeUpRun, outcome

from metakd.analysis.summarise import summarise
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.results.look_records import read_looks
from metakd.results.reader import finished_trials, read_study
from metakd.results.searches import read_searches
from metakd.results.study import STUDY_FILE
from metakd.study.blocks import Blocks, seed_costs
from metakd.study.cases import Job
from metakd.study.curves import Curves
from metakd.study.main import main
from metakd.study.options import UntilDecided
from metakd.study.plan import make_plan
from metakd.study.record import record_searches, record_study
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import SpecError
from metakd.train.commit import commit, result_of
from metakd.train.folder import StudyFolder
from metakd.train.trial import Trial


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return open_dataset("digits", tmp_path_factory.mktemp("datasets"))


def looks_in(out: Path) -> list[object]:
    """The looks without how long they took."""
    return [replace(look, wall_s=0.0) for look in read_looks(out)]


def test_a_study_goes_on_until_a_look_decides(tmp_path: Path, digits: ImageDataset) -> None:
    run = MadeUpRun(tmp_path, digits, learned_pp=2.0).go_on()
    looks, study = read_looks(tmp_path), read_study(tmp_path)
    assert [look.word for look in looks[:-1]] == ["open"] * (len(looks) - 1)
    assert looks[-1].word == "ahead"
    assert looks[-1].next_seed_counts == ()
    assert looks[0].seed_counts == (4, 4, 4, 4)
    for before, after in pairwise(looks):
        assert after.seed_counts == before.next_seed_counts
        assert all(b <= a for b, a in zip(before.seed_counts, after.seed_counts, strict=True))
    assert study.seed_counts == looks[-1].seed_counts
    assert set(study.planned_trials) == set(run.ran) == finished_trials(tmp_path)
    assert study.schedule is not None
    assert study.schedule["pilots"] == [1.0, 2.0, 3.0, 4.0]
    summary = summarise(tmp_path)
    assert summary.deciding is not None
    assert summary.deciding.is_decided
    assert summary.verdict.headline.endswith(".")
    assert "in these 4 settings" in summary.verdict.headline
    assert summary.verdict.sentences[0].startswith(f"Decided at look {len(looks)} of 4")
    assert summary.primary.here.level == looks[-1].level
    assert "look" in run.printed


def test_a_block_too_small_for_a_seed_is_looked_at_all_the_same(
    tmp_path: Path, digits: ImageDataset
) -> None:
    MadeUpRun(tmp_path, digits, budget=UntilDecided(pilots=(1.0, 1.001, 2.0))).go_on()
    looks = read_looks(tmp_path)
    assert looks[1].seed_counts == looks[0].seed_counts
    assert len(looks) == 3


def test_an_older_study_goes_on_with_the_seeds_that_its_settings_share(
    tmp_path: Path, digits: ImageDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = make_plan(replace(SPEC, seed_streams="shared"), [digits], LIVE)
    record_study(shared, tmp_path)
    record = json.loads((tmp_path / STUDY_FILE).read_text())
    del record["spec"]["seed_streams"], record["seed_counts"], record["schedule"]
    (tmp_path / STUDY_FILE).write_text(json.dumps(record))
    for job in shared.jobs[:10]:
        result = result_of(job.trial, outcome(job.trial, 0.0), "")
        commit([(job.trial, result)], StudyFolder(tmp_path))
    words = ["--dry-run", "--bank", "live", "--cluster", "local", "--out", str(tmp_path)]
    assert main(SPEC, never, never, words) == 0
    assert f"{len(shared.jobs)} in 4 settings × 4 seeds; 10 finished" in capsys.readouterr().out


def never(*given: object) -> NoReturn:
    raise AssertionError("nothing is rendered")


def test_cheap_and_noisy_settings_are_given_the_seeds(tmp_path: Path, digits: ImageDataset) -> None:
    MadeUpRun(tmp_path, digits).go_on()
    counts = dict(
        zip(
            (s["scale"] for s in read_study(tmp_path).settings),
            read_looks(tmp_path)[0].next_seed_counts,
            strict=True,
        )
    )
    assert counts[0.1] > counts[0.3]


def test_seeds_of_other_settings_are_other_seeds(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits], LIVE)
    seeds = {}
    for job in plan.jobs:
        seeds.setdefault((job.trial.sampling.scale, job.trial.sampling.augmentation), set()).add(
            job.trial.seed
        )
    assert len(seeds) == 4
    assert all(len(found) == 4 for found in seeds.values())
    assert len(set.union(*seeds.values())) == 16
    wider = make_plan(replace(SPEC, scales=(0.1, 0.2, 0.3)), [digits], LIVE)
    assert set(plan.trial_ids) <= set(wider.trial_ids)
    shared = make_plan(replace(SPEC, seed_streams="shared"), [digits], LIVE)
    assert {job.trial.seed for job in shared.jobs} == {0, 1, 2, 3}


def test_a_study_anew_sees_no_seed_again(tmp_path: Path, digits: ImageDataset) -> None:
    one = MadeUpRun(tmp_path / "one", digits).go_on()
    most = max(read_study(tmp_path / "one").seed_counts)
    anew = MadeUpRun(tmp_path / "anew", digits, replace(SPEC, first_seed=most)).go_on()
    assert not set(one.ran) & set(anew.ran)
    assert read_study(tmp_path / "anew").seeds[0] == most
    assert summarise(tmp_path / "anew").inventory.missing_pairs == 0
    assert anew.blocks.declared.seed_costs == one.blocks.declared.seed_costs


def test_augmentations_share_their_seeds_where_they_are_compared(digits: ImageDataset) -> None:
    plan = make_plan(replace(SPEC, question="augmentation_gap"), [digits], LIVE)
    assert plan.seed_groups == (0, 0, 1, 1)
    assert make_plan(SPEC, [digits], LIVE).seed_groups == (0, 1, 2, 3)
    by_augmentation = {}
    for job in plan.jobs:
        by_augmentation.setdefault(job.trial.sampling.augmentation, set()).add(job.trial.seed)
    assert by_augmentation["none"] == by_augmentation["standard"]


@pytest.mark.parametrize("killed_after", [1, 47, 48, 49, 70])
def test_a_killed_study_takes_the_same_looks(
    tmp_path: Path, digits: ImageDataset, killed_after: int
) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    whole = MadeUpRun(undisturbed, digits).go_on()
    first = MadeUpRun(killed, digits).go_on(killed_after)
    second = MadeUpRun(killed, digits).go_on()
    assert looks_in(killed) == looks_in(undisturbed)
    assert not set(first.ran) & set(second.ran)
    assert {*first.ran, *second.ran} == set(whole.ran)
    assert read_study(killed).planned_trials == read_study(undisturbed).planned_trials
    one, other = summarise(killed), summarise(undisturbed)
    assert one.verdict.headline == other.verdict.headline
    assert one.primary == other.primary


def test_a_kill_between_a_look_and_the_next_block_loses_neither(
    tmp_path: Path, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    MadeUpRun(undisturbed, digits).go_on()

    class KilledError(Exception):
        pass

    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Blocks, "_begin", kill)
        with pytest.raises(KilledError):
            MadeUpRun(killed, digits).go_on()
    assert len(read_looks(killed)) == 1
    MadeUpRun(killed, digits).go_on()
    assert looks_in(killed) == looks_in(undisturbed)


def test_the_same_command_again_runs_nothing_and_takes_no_look(
    tmp_path: Path, digits: ImageDataset
) -> None:
    MadeUpRun(tmp_path, digits).go_on()
    before = (tmp_path / "looks.json").read_bytes()
    assert MadeUpRun(tmp_path, digits).go_on().ran == []
    assert (tmp_path / "looks.json").read_bytes() == before


def test_failed_trials_leave_their_pairs_out_of_a_look(
    tmp_path: Path, digits: ImageDataset
) -> None:
    plan = make_plan(SPEC, [digits], LIVE)
    gone = {job.trial.id for job in plan.jobs if job.trial.distiller.method == "mkd"}
    one = min(gone)
    MadeUpRun(tmp_path, digits, fails=lambda trial: trial.id == one).go_on()
    looks = read_looks(tmp_path)
    assert looks[0].pairs == 15
    taken = looks[0]
    # Tried again by the next run, it changes no look that was taken.
    MadeUpRun(tmp_path, digits).go_on()
    assert read_looks(tmp_path)[0] == taken


def test_a_setting_that_always_fails_is_left_out_and_gets_no_more_seeds(
    tmp_path: Path, digits: ImageDataset
) -> None:
    def fails(trial: Trial) -> bool:
        sampling = trial.sampling
        return (sampling.scale, sampling.augmentation) == (0.1, "standard")

    MadeUpRun(tmp_path, digits, fails=fails).go_on()
    looks = read_looks(tmp_path)
    settings = [(s["scale"], s["augmentation"]) for s in read_study(tmp_path).settings]
    broken = settings.index((0.1, "standard"))
    assert looks[-1].seed_counts[broken] == 4
    assert looks[-1].sd_pp[broken] is None
    assert "these 3 settings" in looks[-1].method
    assert "in 3 of these 4 settings" in summarise(tmp_path).verdict.headline


def test_where_nothing_has_a_result_a_look_says_so_and_nothing_follows(
    tmp_path: Path, digits: ImageDataset
) -> None:
    MadeUpRun(tmp_path, digits, fails=lambda trial: trial.distiller.method == "mkd").go_on()
    (look,) = read_looks(tmp_path)
    assert (look.mean_pp, look.word, look.next_seed_counts) == (None, "open", ())
    summarise(tmp_path)


def test_runs_are_counted_before_a_block_begins(tmp_path: Path, digits: ImageDataset) -> None:
    first = MadeUpRun(tmp_path, digits, budget=replace(LOOKS, max_runs=60)).go_on()
    assert len(read_looks(tmp_path)) == 1
    assert len(finished_trials(tmp_path)) == 48
    assert "more than the 60 of --max-runs" in first.printed
    summary = summarise(tmp_path)
    assert summary.deciding is not None
    assert summary.deciding.prospect is not None
    assert summary.verdict.sentences[0].startswith("Undecided so far: look 1 of 4")
    assert "so far" in summary.verdict.badge
    MadeUpRun(tmp_path, digits).go_on()
    assert len(read_looks(tmp_path)) > 1


def test_hours_that_end_inside_a_block_take_no_look(tmp_path: Path, digits: ImageDataset) -> None:
    undisturbed, paused = tmp_path / "undisturbed", tmp_path / "paused"
    MadeUpRun(undisturbed, digits).go_on()
    run = MadeUpRun(paused, digits)
    run.go_on(20)
    assert not run.blocks.is_out_of_time
    job = run.scheduler.next_job()
    run.scheduler.close()
    assert isinstance(job, Job)
    commit([(job.trial, result_of(job.trial, outcome(job.trial, 0.0), ""))], run.folder)
    run.scheduler.done(job)
    assert run.scheduler.is_over
    assert not run.blocks.extend(run.scheduler)
    assert read_looks(paused) == ()
    assert summarise(paused).verdict.sentences[0].startswith("No look was taken yet")
    MadeUpRun(paused, digits).go_on()
    assert looks_in(paused) == looks_in(undisturbed)


def test_a_block_that_does_not_fit_into_the_hours_is_not_begun(
    tmp_path: Path, digits: ImageDataset
) -> None:
    first = MadeUpRun(tmp_path, digits, budget=replace(LOOKS, max_hours=1e-9))
    assert first.blocks.is_out_of_time
    first.go_on()
    assert len(read_looks(tmp_path)) == 1
    assert "--max-hours leaves" in first.printed


def test_seeds_added_by_hand_change_no_word(tmp_path: Path, digits: ImageDataset) -> None:
    MadeUpRun(tmp_path, digits, learned_pp=2.0).go_on()
    before, looks = summarise(tmp_path), (tmp_path / "looks.json").read_bytes()
    counts = [count + 3 for count in read_study(tmp_path).seed_counts]
    folder, plan = StudyFolder(tmp_path), make_plan(SPEC, [digits], LIVE, counts)
    record_study(plan, tmp_path)
    for job in plan.jobs:
        if job.trial.id not in finished_trials(tmp_path):
            commit([(job.trial, result_of(job.trial, outcome(job.trial, -20.0), ""))], folder)
    record_searches(Scheduler(Curves(folder, finished_trials(tmp_path)), searches_of(plan)), folder)
    after = summarise(tmp_path)
    assert (tmp_path / "looks.json").read_bytes() == looks
    assert after.primary.here == before.primary.here
    assert after.verdict.badge == before.verdict.badge
    assert after.deciding is not None
    assert after.deciding.undeclared_pairs == 12
    assert "12 pairs of settings and seeds came after the last declared look" in " ".join(
        after.verdict.sentences
    )
    assert after.settings[0].versus_baseline != before.settings[0].versus_baseline


@pytest.mark.parametrize(
    ("change", "budget", "words"),
    [
        ({"margin_pp": 0.5}, LOOKS, "--margin 1"),
        ({"seeds": 5}, LOOKS, "--seeds 4"),
        ({}, UntilDecided(pilots=(1.0, 2.0)), "--looks 1 2 3 4"),
        ({"scales": (0.1,)}, LOOKS, "4 settings"),
        ({"first_seed": 4}, LOOKS, "--first-seed 0"),
    ],
)
def test_another_schedule_is_refused_and_the_declared_one_holds(
    tmp_path: Path,
    digits: ImageDataset,
    change: dict[str, object],
    budget: UntilDecided,
    words: str,
) -> None:
    MadeUpRun(tmp_path, digits).go_on()
    before = (tmp_path / STUDY_FILE).read_bytes()
    with pytest.raises(SpecError, match=words) as refused:
        MadeUpRun(tmp_path, digits, replace(SPEC, **change), budget)
    assert "\n" not in str(refused.value)
    assert "another --out" in str(refused.value)
    assert (tmp_path / STUDY_FILE).read_bytes() == before


def test_transfer_needs_a_second_setting_which_rising_teachers_are(
    tmp_path: Path, digits: ImageDataset
) -> None:
    spec = replace(
        SPEC, question="transfer", scales=(0.1,), augmentations=("none",), teachers=("rising",)
    )
    assert len(MadeUpRun(tmp_path / "rising", digits, spec).blocks.plan.settings) > 1
    with pytest.raises(SpecError, match="no temperature from elsewhere"):
        MadeUpRun(tmp_path / "one", digits, replace(spec, teachers=()))


def test_results_without_a_schedule_are_not_given_one(tmp_path: Path, digits: ImageDataset) -> None:
    folder, plan = StudyFolder(tmp_path), make_plan(SPEC, [digits], LIVE)
    record_study(plan, tmp_path)
    # Nothing has been seen yet: a schedule can still be declared.
    MadeUpRun(tmp_path, digits).go_on(0)
    record_study(plan, tmp_path / "other")
    folder = StudyFolder(tmp_path / "other")
    first = plan.jobs[0].trial
    commit([(first, result_of(first, outcome(first, 0.0), ""))], folder)
    with pytest.raises(SpecError, match="before the first trial"):
        MadeUpRun(tmp_path / "other", digits)


def test_costs_are_counted_by_group(digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits], LIVE)
    small, _, large, _ = seed_costs(plan)
    jobs = {
        scale: [j for j in plan.jobs if j.trial.sampling.scale == scale and j.trial.seed % 100 == 0]
        for scale in SPEC.scales
    }
    assert 0 < small < large
    assert len(jobs[0.1]) == len(jobs[0.3])
    more = make_plan(SPEC, [digits], LIVE, (9, 9, 9, 9))
    assert seed_costs(more) == seed_costs(plan)


def test_searches_take_part(tmp_path: Path, digits: ImageDataset) -> None:
    spec = replace(SPEC, strategies=("fixed", "grid", "meta", "align", "random"), budget=2.0)
    run = MadeUpRun(tmp_path, digits, spec).go_on()
    looks = read_looks(tmp_path)
    assert len(looks) > 1
    summary = summarise(tmp_path)
    assert summary.inventory.missing_pairs == 0
    assert {baseline.strategy for baseline in summary.baselines} == {"align", "random"}
    assert len(set(run.ran)) == len(run.ran)


def test_the_file_of_looks_is_plain(tmp_path: Path, digits: ImageDataset) -> None:
    MadeUpRun(tmp_path, digits).go_on()
    found = json.loads((tmp_path / "looks.json").read_text())
    assert [look["number"] for look in found] == list(range(1, len(found) + 1))


def decisions_in(out: Path) -> list[object]:
    """The looks without how long they took, and after how many trials of other strategies."""
    return [replace(look, wall_s=0.0, trials=0) for look in read_looks(out)]


ASIDE = replace(
    SPEC,
    strategies=(*SPEC.strategies, "ce", "kd-std", "random"),
    continued=SPEC.strategies,
)
"""Strategies beside those that the study is about."""


def test_strategies_beside_the_question_stop_after_the_pilot(
    tmp_path: Path, digits: ImageDataset
) -> None:
    alone = MadeUpRun(tmp_path / "alone", digits).go_on()
    beside = MadeUpRun(tmp_path / "beside", digits, ASIDE).go_on()
    looks = read_looks(tmp_path / "beside")
    assert len(looks) > 1
    # The others change neither what seeds are given, nor what a look finds.
    assert decisions_in(tmp_path / "beside") == decisions_in(tmp_path / "alone")
    assert set(alone.ran) < set(beside.ran)
    planned = {
        (run.strategy, run.case.setting): sum(
            (other.strategy, other.case.setting) == (run.strategy, run.case.setting)
            for other in beside.blocks.plan.strategy_runs
        )
        for run in beside.blocks.plan.strategy_runs
    }
    settings = beside.blocks.plan.settings
    for setting, seeds in zip(settings, looks[-1].seed_counts, strict=True):
        assert seeds > SPEC.seeds
        assert planned["meta", setting] == planned["grid", setting] == seeds
        assert planned["kd-std", setting] == planned["random", setting] == SPEC.seeds
    summary = summarise(tmp_path / "beside")
    assert summary.inventory.missing_pairs == 0
    assert not summary.inventory.is_open
    assert summary.inventory.ended_searches == summary.inventory.searches
    pairs = {each.strategy: each.overall for each in summary.baselines}
    assert set(pairs) == {"ce", "kd-std", "random"}
    for comparison in pairs.values():
        assert comparison.effect.pairs == SPEC.seeds * len(settings)
        assert comparison.missing_pairs == 0
    assert all(each.is_pilot_only for each in summary.baselines)
    assert {point.strategy for point in summary.costs} == set(ASIDE.strategies)


def test_accuracies_of_strategies_that_stopped_stand_on_the_seeds_of_the_learned(
    tmp_path: Path, digits: ImageDataset
) -> None:
    MadeUpRun(tmp_path, digits, ASIDE).go_on()
    summary = summarise(tmp_path)
    learned = [s.test_pp for each in summary.settings for s in each.scores if s.strategy == "meta"]
    # Of a grid, the last of its points is its whole budget.
    points = {point.strategy: point.test_pp for point in summary.costs}
    for each in summary.baselines:
        difference = each.overall.effect.mean_pp
        assert each.test_pp is not None
        assert difference is not None
        assert sum(learned) / len(learned) - each.test_pp == pytest.approx(difference)
        # The report's first figure draws the differences of its tables, over all seeds.
        assert points[each.strategy] == pytest.approx(each.test_pp)
    whole_grid = summary.comparisons[0].effect.mean_pp
    assert points["meta"] == pytest.approx(sum(learned) / len(learned))
    assert points["meta"] - points["grid"] == pytest.approx(whole_grid)


def test_a_killed_study_with_strategies_that_stop_takes_the_same_looks(
    tmp_path: Path, digits: ImageDataset
) -> None:
    MadeUpRun(tmp_path / "whole", digits, ASIDE).go_on()
    for _ in range(40):
        if MadeUpRun(tmp_path / "killed", digits, ASIDE).go_on(23).scheduler.is_over:
            break
    assert looks_in(tmp_path / "killed") == looks_in(tmp_path / "whole")
    assert finished_trials(tmp_path / "killed") == finished_trials(tmp_path / "whole")


def test_strategies_that_stop_run_once_after_the_first_look(
    tmp_path: Path, digits: ImageDataset
) -> None:
    alone = MadeUpRun(tmp_path / "alone", digits).go_on()
    beside = MadeUpRun(tmp_path / "beside", digits, ASIDE).go_on()
    pilot, others = read_looks(tmp_path / "alone")[0].trials, len(beside.ran) - len(alone.ran)
    assert beside.ran[:pilot] == alone.ran[:pilot]
    assert beside.ran[pilot + others :] == alone.ran[pilot:]
    assert others > 0
    # What a search adds is known once it runs.
    assert re.search(r"others +\d+ trials of strategies that no look needs", beside.printed)
    assert seed_costs(make_plan(ASIDE, [digits], LIVE)) == alone.blocks.declared.seed_costs
    decided = MadeUpRun(tmp_path / "alone", digits, ASIDE)
    assert decided.scheduler.is_over
    # A study that was decided without them only runs them.
    assert set(decided.go_on().ran) == set(beside.ran) - set(alone.ran)
    assert decisions_in(tmp_path / "alone") == decisions_in(tmp_path / "beside")


def test_their_time_is_no_look_s(
    tmp_path: Path, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = 0

    def clock_ticks(trial: Trial) -> bool:
        nonlocal trials
        trials += 1
        return False

    monkeypatch.setattr("metakd.study.blocks.time.monotonic", lambda: float(trials))
    MadeUpRun(tmp_path / "alone", digits, fails=clock_ticks).go_on()
    trials = 0
    MadeUpRun(tmp_path / "beside", digits, ASIDE, fails=clock_ticks).go_on()
    alone, beside = read_looks(tmp_path / "alone"), read_looks(tmp_path / "beside")
    assert [look.wall_s for look in beside] == [look.wall_s for look in alone]
    assert beside[-1].wall_s == alone[-1].trials


def test_held_strategies_keep_their_segments_in_the_store(
    tmp_path: Path, digits: ImageDataset
) -> None:
    MadeUpRun(tmp_path, digits, ASIDE).go_on()
    before = read_searches(tmp_path).to_pylist()
    # It writes them down before it runs anything.
    MadeUpRun(tmp_path, digits, ASIDE)
    assert sorted(map(str, read_searches(tmp_path).to_pylist())) == sorted(map(str, before))


def test_without_time_for_a_block_the_others_run(tmp_path: Path, digits: ImageDataset) -> None:
    run = MadeUpRun(tmp_path, digits, ASIDE, replace(LOOKS, max_hours=1e-6)).go_on()
    assert len(read_looks(tmp_path)) == 1
    assert "the next block takes about" in run.printed
    summary = summarise(tmp_path)
    assert {each.strategy for each in summary.baselines if each.overall.effect.pairs} == {
        *("ce", "kd-std", "random")
    }


def test_without_looks_strategies_that_stopped_get_the_seeds_that_are_given(
    tmp_path: Path, digits: ImageDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    run = MadeUpRun(tmp_path, digits, ASIDE).go_on()
    words = ["--dry-run", "--bank", "live", "--cluster", "local", "--out", str(tmp_path)]
    assert main(ASIDE, never, never, words) == 0
    assert f"{len(run.blocks.plan.trial_ids)} finished, 0 to run" in capsys.readouterr().out

"""From a study's folder to its Summary."""

from collections.abc import Sequence
from pathlib import Path

from metakd.analysis.anytime import anytime_curves
from metakd.analysis.baselines import compare_baselines
from metakd.analysis.comparison import compare, minus_pp
from metakd.analysis.cost import cost_points, learned_cost_in_plain_runs
from metakd.analysis.deciding import DeclaredSchedule
from metakd.analysis.degradation import degradation_curves, level_changes
from metakd.analysis.detectable import detectable_difference
from metakd.analysis.first_seeds import first_seeds
from metakd.analysis.gains import gains_over_scales, search_gains
from metakd.analysis.grid import choose
from metakd.analysis.inventory import make_inventory
from metakd.analysis.label_use import label_use
from metakd.analysis.last_look import Findings, at_look, deciding_of, primary_comparison
from metakd.analysis.learner_answers import Ensemble, Teaching
from metakd.analysis.logged_teaching import logged_teaching
from metakd.analysis.loss_profile import loss_profiles
from metakd.analysis.made_with import Trials, changed_between_runs, trials_by_version
from metakd.analysis.optimism import selection_optimism
from metakd.analysis.pair import Pair, pair_of
from metakd.analysis.primary import primary_of
from metakd.analysis.questions import answer, learner_answer, question_of
from metakd.analysis.questions.gap import level_gaps
from metakd.analysis.questions.start_range import start_range
from metakd.analysis.questions.transfer import reuse, transfer_regret
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.responses import response_curves, tau_spans
from metakd.analysis.sentences import Evidence
from metakd.analysis.settings import setting_counts, setting_results
from metakd.analysis.spec_in_words import spec_in_words
from metakd.analysis.statistics.claims import looks
from metakd.analysis.summary import SUMMARY_VERSION, Baseline, Corrections, Summary
from metakd.analysis.summary_file import read_summary, write_summary
from metakd.analysis.table import StudyTable, read_table
from metakd.analysis.teacher_weights import teacher_weights
from metakd.analysis.trajectories import trajectories
from metakd.analysis.wall_clock import wall_clock
from metakd.results.looks import read_looks
from metakd.results.reader import read_study
from metakd.results.study import StudyRecord
from metakd.results.teachers import TeacherScore, read_teachers

__all__ = ["read_summary", "summarise", "write_summary"]


def summarise(out: Path) -> Summary:
    """Computes everything that is said about a study, from its own trials alone.

    Args:
        out: The study's folder; finished or not.

    Raises:
        StoreError: If the folder holds no study, or a file in it is damaged.
    """
    record = read_study(out)
    question = question_of(record)
    table = read_table(out, record)
    grid = choose(table)
    reached = reached_by_strategy(table, grid)
    pair = pair_of(question, table.strategies, reached)
    settings = setting_results(table, grid, pair)
    inventory = make_inventory(table)
    learned_runs = learned_cost_in_plain_runs(table)
    teachers = read_teachers(out)
    gaps = level_gaps(table, grid, teachers)
    first = primary_of(question, table, grid, pair, gaps)
    deciding = deciding_of(DeclaredSchedule.of(record), read_looks(out), first, table)
    primary = primary_comparison(first, table, deciding)
    found = _found(table, pair, teachers, primary.here.level)
    if deciding is not None and deciding.looks:
        # Words rest on what the last look saw; what came since shows in numbers alone.
        seen = first_seeds(table, deciding.seeds_at_last_look)
        found = _found(seen, pair, teachers, primary.here.level)
    if deciding is not None:
        found = at_look(found, question, pair.baseline, primary, table.margin_pp)
    evidence = Evidence(
        table.strategies,
        table.temperatures,
        table.fixed_tau,
        table.margin_pp,
        found.comparisons,
        settings,
        inventory,
        found.baselines,
        pair,
        learned_runs,
        primary,
        deciding,
        record.command,
    )
    found_of_learner = learner_answer(question, table, grid, pair, teachers)
    weights, final_weights = teacher_weights(out, table)
    teaching_curves, quiz_falls = logged_teaching(out, table)
    gains = search_gains(table, grid)
    degradations = degradation_curves(table, grid, gaps)
    learned = trajectories(out, table)
    versions = trials_by_version(table.rows)
    return Summary(
        summary_version=SUMMARY_VERSION,
        study=record.study,
        created=record.created,
        margin_pp=table.margin_pp,
        fixed_tau=table.fixed_tau,
        temperatures=table.temperatures,
        strategies=table.strategies,
        learned_runs=learned_runs,
        verdict=answer(question, evidence, found.gaps, found.reuse, found_of_learner, found.starts),
        comparisons=found.comparisons,
        settings=settings,
        counts=setting_counts(settings),
        corrections=_corrections(found.baselines, found_of_learner),
        responses=response_curves(table, grid, settings),
        costs=cost_points(table, grid),
        transfer=transfer_regret(table, grid),
        trajectories=learned,
        inventory=inventory,
        provenance=_provenance(record, table, versions),
        spec=spec_in_words(record.spec),
        gains=gains,
        anytime=anytime_curves(out, table, grid, record.study),
        degradations=degradations,
        profiles=loss_profiles(table, grid),
        optimism=selection_optimism(grid),
        detectable=None
        if deciding is not None
        else detectable_difference(
            minus_pp(table, reached, pair.learner, pair.baseline), table.strata
        ),
        wall_clock=wall_clock(table, grid),
        tau_spans=tau_spans(settings, learned),
        level_changes=level_changes(degradations),
        gains_over_scales=gains_over_scales(gains),
        baselines=found.baselines,
        learner=pair.learner,
        baseline=pair.baseline,
        question=question,
        gaps=found.gaps,
        reuse=found.reuse,
        starts=found.starts,
        ensemble=found_of_learner if isinstance(found_of_learner, Ensemble) else None,
        weights=weights,
        final_weights=final_weights,
        teaching=found_of_learner if isinstance(found_of_learner, Teaching) else None,
        teaching_curves=teaching_curves,
        quiz_falls=quiz_falls,
        label_use=label_use(table),
        made_with=changed_between_runs(versions),
        primary=primary,
        deciding=deciding,
    )


def _found(
    table: StudyTable, pair: Pair, teachers: Sequence[TeacherScore], level: float
) -> Findings:
    grid = choose(table)
    return Findings(
        comparisons=compare(table, grid),
        baselines=compare_baselines(table, grid, pair.learner),
        gaps=level_gaps(table, grid, teachers),
        reuse=reuse(table, grid),
        starts=start_range(table, grid, level),
    )


def _corrections(
    baselines: Sequence[Baseline], found_of_learner: Ensemble | Teaching | None
) -> Corrections:
    teachers = found_of_learner.teachers if isinstance(found_of_learner, Teaching) else ()
    return Corrections(
        strategies=looks(baseline.p_holm for baseline in baselines),
        equal_cost=looks(baseline.equal_cost_p_holm for baseline in baselines),
        parts=looks(part.p_holm for part in (found_of_learner.parts if found_of_learner else ())),
        teachers=looks(teacher.p_holm for teacher in teachers),
    )


def _provenance(record: StudyRecord, table: StudyTable, versions: Trials) -> dict[str, str]:
    devices = sorted({row["device"] for row in table.rows if row["device"]})
    commits = sorted({row["git_commit"] for row in table.rows if row["git_commit"]})
    return {
        "command": record.command,
        "created": record.created,
        "git commit": ", ".join(commits) or record.git_commit,
        "device": ", ".join(devices),
        **{
            package: ", ".join(versions.get(package, [first]))
            for package, first in sorted(record.versions.items())
        },
    }

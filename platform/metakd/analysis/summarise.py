"""From a study's folder to its Summary."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metakd.analysis.basics import basics_of
from metakd.analysis.comparison import minus_pp
from metakd.analysis.deciding import (
    Deciding,
    PrimaryComparison,
    deciding_of,
    primary_comparison,
)
from metakd.analysis.deciding_in_words import with_decision
from metakd.analysis.figures.anytime import anytime_curves
from metakd.analysis.figures.degradations import degradation_curves, level_changes
from metakd.analysis.figures.gains import gains_over_scales, search_gains
from metakd.analysis.figures.reliability import loss_profiles, selection_optimism
from metakd.analysis.figures.responses import response_curves, tau_spans
from metakd.analysis.figures.teaching import logged_teaching
from metakd.analysis.figures.trajectories import trajectories
from metakd.analysis.figures.transfer import transfer_regret
from metakd.analysis.figures.weights import teacher_weights
from metakd.analysis.inventory import label_use, make_inventory
from metakd.analysis.made_with import Trials, changed_between_runs, trials_by_version
from metakd.analysis.published import published_pairs
from metakd.analysis.questions.analysis import (
    Findings,
    Results,
    findings_of,
    question_name,
    question_of,
    results_of,
)
from metakd.analysis.questions.grid_vs_meta import compare
from metakd.analysis.reached import cost_points, wall_clock
from metakd.analysis.schedule import DeclaredSchedule
from metakd.analysis.sentences import Evidence
from metakd.analysis.settings import setting_counts, setting_results
from metakd.analysis.statistics.claims import corrected_for
from metakd.analysis.statistics.power import detectable_difference
from metakd.analysis.students import kept_students
from metakd.analysis.summary import (
    SUMMARY_VERSION,
    Corrections,
    Summary,
    read_summary,
    write_summary,
)
from metakd.analysis.table import StudyTable, read_table
from metakd.results.look_records import read_looks
from metakd.results.reader import read_study
from metakd.results.study import StudyRecord
from metakd.results.teacher_scores import read_teachers

__all__ = ["read_summary", "summarise", "write_summary"]


def summarise(out: Path) -> Summary:
    """Computes everything that is said about a study, from its own trials alone.

    Args:
        out: The study's folder; finished or not.

    Raises:
        StoreError: If the folder holds no study, or a file in it is damaged.
    """
    record = read_study(out)
    analysis, question = question_of(record).analysis, question_name(record)
    table, teachers = read_table(out, record), read_teachers(out)
    results = results_of(question, table, teachers)
    grid, pair = results.grid, results.pair
    differences = analysis.primary(results)
    deciding = deciding_of(DeclaredSchedule.of(record), read_looks(out), differences, table)
    primary = primary_comparison(differences, table, deciding)
    # Words rest on what the last look had; what came since shows in numbers alone.
    seen = results
    if deciding is not None and deciding.looks:
        seen = results.first_seeds(deciding.seeds_at_last_look)
    found = findings_of(seen, compare(seen.table, seen.grid, seen.costs), primary.here.level)
    if deciding is not None:
        found = analysis.at_look(found, pair, primary)
    evidence = evidence_of(results, found, primary, deciding, record.command)
    verdict = analysis.verdict(evidence, found.answer)
    weights, final_weights = teacher_weights(out, table)
    teaching_curves, quiz_falls = logged_teaching(out, table)
    gains = search_gains(table, grid, results.costs)
    degradations = degradation_curves(table, grid, teachers)
    learned = trajectories(out, table)
    versions = trials_by_version(table.rows)
    to_baseline = minus_pp(table, results.reached, pair.learner, pair.baseline)
    return Summary(
        summary_version=SUMMARY_VERSION,
        study=record.study,
        created=record.created,
        margin_pp=table.margin_pp,
        fixed_tau=table.fixed_tau,
        temperatures=table.temperatures,
        strategies=table.strategies,
        runs=dict(evidence.runs),
        currency=results.costs.currency,
        verdict=with_decision(verdict, primary, deciding, record.command),
        comparisons=found.comparisons,
        settings=evidence.settings,
        counts=setting_counts(evidence.settings),
        corrections=Corrections(
            strategies=corrected_for(each.p_holm for each in found.baselines),
            equal_cost=corrected_for(each.equal_cost_p_holm for each in found.baselines),
        ),
        responses=response_curves(table, grid, evidence.settings),
        costs=cost_points(table, grid, results.costs, results.pair.learner),
        transfer=transfer_regret(table, grid),
        trajectories=learned,
        inventory=evidence.inventory,
        provenance=_provenance(record, table, versions),
        spec=spec_in_words(record.spec),
        gains=gains,
        anytime=anytime_curves(out, table, results.costs, record.study),
        degradations=degradations,
        profiles=loss_profiles(table, grid),
        optimism=selection_optimism(grid),
        detectable=detectable_difference(to_baseline, table.strata) if deciding is None else None,
        wall_clock=wall_clock(table, grid),
        tau_spans=tau_spans(evidence.settings, learned),
        level_changes=level_changes(degradations),
        gains_over_scales=gains_over_scales(gains),
        baselines=found.baselines,
        learner=pair.learner,
        baseline=pair.baseline,
        question=question,
        answer=found.answer,
        weights=weights,
        final_weights=final_weights,
        teaching_curves=teaching_curves,
        quiz_falls=quiz_falls,
        label_use=label_use(table),
        made_with=changed_between_runs(versions),
        basics=basics_of(seen.table, seen.reached, evidence.settings, teachers, question, pair),
        published=published_pairs(record.spec, evidence.settings),
        students=kept_students(out, dict(zip(table.keys, table.settings, strict=True))),
        primary=primary,
        deciding=deciding,
    )


def evidence_of(
    results: Results,
    found: Findings,
    primary: PrimaryComparison | None = None,
    deciding: Deciding | None = None,
    command: str = "",
) -> Evidence:
    """Returns what a verdict is made from.

    Args:
        results: The study's results, of all its trials.
        found: What the headline is worded from.
        primary: The primary comparison.
        deciding: The declared looks at it.
        command: What the study was run with.
    """
    table = results.table
    return Evidence(
        strategies=table.strategies,
        temperatures=table.temperatures,
        fixed_tau=table.fixed_tau,
        margin_pp=table.margin_pp,
        comparisons=found.comparisons,
        settings=setting_results(table, results.grid, results.costs, results.pair),
        inventory=make_inventory(table),
        baselines=found.baselines,
        pair=results.pair,
        runs={
            name: runs
            for name in table.strategies
            if (runs := results.costs.runs(name)) is not None
        },
        primary=primary,
        deciding=deciding,
        command=command,
        question=results.question,
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


def spec_in_words(spec: Mapping[str, Any]) -> dict[str, str]:
    """Returns each value of a spec as one string: lists with commas, numbers short."""
    return {str(name): _in_words(value) for name, value in spec.items()}


def _in_words(value: Any) -> str:  # noqa: ANN401 - JSON
    match value:
        case None:
            return "default"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(_in_words(item) for item in value) or "none"
        case dict():
            return json.dumps(value, sort_keys=True, ensure_ascii=False)
        case _:
            return str(value)

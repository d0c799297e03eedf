"""From a study's folder to its Summary."""

from pathlib import Path

import numpy as np

from metakd.analysis.comparison import compare
from metakd.analysis.cost import cost_points
from metakd.analysis.grid import Grid, choose
from metakd.analysis.responses import response_curves
from metakd.analysis.settings import setting_results
from metakd.analysis.summary import SUMMARY_VERSION, Inventory, Summary
from metakd.analysis.summary_file import read_summary, write_summary
from metakd.analysis.table import DONE, StudyTable, read_table
from metakd.analysis.trajectories import trajectories
from metakd.analysis.transfer import transfer_regret
from metakd.analysis.verdict import Evidence, make_verdict
from metakd.results.reader import read_study
from metakd.results.study import StudyRecord

__all__ = ["read_summary", "summarise", "write_summary"]


def summarise(out: Path) -> Summary:
    """Computes everything that is said about a study, from its planned trials alone.

    Args:
        out: The study's folder; finished or not.

    Raises:
        StoreError: If the folder holds no study, or a file in it is damaged.
    """
    record = read_study(out)
    table = read_table(out, record)
    grid = choose(table)
    comparisons = compare(table, grid)
    settings = setting_results(table, grid)
    inventory = _inventory(record, table, grid)
    evidence = Evidence(
        table.strategies,
        table.temperatures,
        table.fixed_tau,
        table.margin_pp,
        comparisons,
        settings,
        inventory,
    )
    return Summary(
        summary_version=SUMMARY_VERSION,
        study=record.study,
        created=record.created,
        margin_pp=table.margin_pp,
        fixed_tau=table.fixed_tau,
        temperatures=table.temperatures,
        strategies=table.strategies,
        verdict=make_verdict(evidence),
        comparisons=comparisons,
        settings=settings,
        responses=response_curves(table, settings),
        costs=cost_points(table, grid),
        transfer=transfer_regret(table, grid),
        trajectories=trajectories(out, record, table),
        inventory=inventory,
        provenance=_provenance(record, table),
    )


def _inventory(record: StudyRecord, table: StudyTable, grid: Grid | None) -> Inventory:
    finished = [row for row in table.rows if row["status"] == DONE]
    complete = [runs.complete for runs in (table.ce, table.fixed, table.meta) if runs is not None]
    complete += [] if grid is None else [grid.complete]
    pairs = np.logical_and.reduce(complete) if complete else np.zeros(table.shape, bool)
    return Inventory(
        planned=len(set(record.planned_trials)),
        finished=len(finished),
        failed=len(table.rows) - len(finished),
        planned_pairs=len(table.settings) * len(table.seeds),
        complete_pairs=int(pairs.sum()),
        student_compute_s=sum((row["student_compute_s"] or 0.0 for row in table.rows), start=0.0),
        trial_wall_s=sum((row["wall_s"] or 0.0 for row in table.rows), start=0.0),
    )


def _provenance(record: StudyRecord, table: StudyTable) -> dict[str, str]:
    devices = sorted({row["device"] for row in table.rows if row["device"]})
    commits = sorted({row["git_commit"] for row in table.rows if row["git_commit"]})
    return {
        "command": record.command,
        "created": record.created,
        "git commit": ", ".join(commits) or record.git_commit,
        "device": ", ".join(devices),
        **dict(sorted(record.versions.items())),
    }

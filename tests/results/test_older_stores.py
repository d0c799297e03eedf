"""Stores that older versions wrote are read as they are: small ones of each are kept in ``stores``.

Each was written by the commit in its name, before a change of what a store holds: tables of what
strategies ran, teachers that learn, one held-out split, looks that are declared.
"""

import json
import shutil
from pathlib import Path

import pytest

from metakd.analysis.summarise import summarise
from metakd.dashboards.report import write_report
from metakd.results.compaction import compact
from metakd.results.reader import read_steps, read_study, read_trials
from metakd.results.study import SCHEMA_VERSION, StoreError

STORES = sorted((Path(__file__).parent / "stores").iterdir())


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_it_is_read_summarised_and_packed(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(store, out)
    trials = read_trials(out)
    assert trials.num_rows == 12
    assert set(trials.column("method").to_pylist()) == {"ce", "kd", "mkd"}
    assert read_steps(out).num_rows == 4 * 12
    summary = summarise(out)
    assert summary.inventory.finished == 12
    assert summary.inventory.missing_pairs == 0
    assert summary.comparisons[0].effect.pairs == 3
    assert write_report(out, summary).stat().st_size > 1e6
    compact(out)
    assert read_trials(out).sort_by("trial_id").equals(trials.sort_by("trial_id"))


def test_a_newer_one_is_refused_with_its_version(tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(STORES[-1], out)
    record = json.loads((out / "study.json").read_text())
    record["schema_version"] = SCHEMA_VERSION + 1
    (out / "study.json").write_text(json.dumps(record))
    with pytest.raises(StoreError, match=f"has schema version {SCHEMA_VERSION + 1}, this code"):
        read_study(out)
    with pytest.raises(StoreError, match="or the version of metakd that wrote it"):
        summarise(out)

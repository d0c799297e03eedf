"""The time to decide, planned by the variances of a store."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_run import LIVE, LOOKS, SPEC, MadeUpRun
from rich.console import Console

from metakd.data.datasets import ImageDataset, open_dataset
from metakd.results.study import StoreError
from metakd.study.plan import make_plan
from metakd.study.plan_power import announce_power, known_from
from metakd.study.record import record_study


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return open_dataset("digits", tmp_path_factory.mktemp("datasets"))


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory, digits: ImageDataset) -> Path:
    out = tmp_path_factory.mktemp("pilot")
    MadeUpRun(out, digits, budget=replace(LOOKS, max_runs=50)).go_on()
    return out


def test_a_stores_variances_are_those_of_its_settings(pilot: Path, digits: ImageDataset) -> None:
    known = known_from(make_plan(SPEC, [digits], LIVE), pilot)
    assert known is not None
    assert known.matched == 4
    assert known.groups.weights.tolist() == [0.25] * 4
    # Made up with three times the spread at 10 % of the data.
    assert known.groups.variances[:2].mean() > 3 * known.groups.variances[2:].mean()
    assert 0 < known.seconds < 1


def test_settings_that_a_store_lacks_are_given_its_mean_variance(
    pilot: Path, digits: ImageDataset
) -> None:
    plan = make_plan(replace(SPEC, scales=(0.1, 0.5)), [digits], LIVE)
    known, whole = known_from(plan, pilot), known_from(make_plan(SPEC, [digits], LIVE), pilot)
    assert known is not None
    assert whole is not None
    assert known.matched == 2
    assert known.groups.variances[:2].tolist() == whole.groups.variances[:2].tolist()
    assert np.allclose(known.groups.variances[2:], whole.groups.variances.mean())


def test_wider_margins_are_decided_sooner(pilot: Path, digits: ImageDataset) -> None:
    console = Console(record=True, width=120)
    announce_power(console, make_plan(SPEC, [digits], LIVE), pilot)
    text = console.export_text()
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("±")]
    assert [row[0] for row in rows] == ["±0.1", "±0.2", "±0.3", "±0.5", "±1"]
    likely = [int(row[row.index("%)") - 1].strip("(")) for row in rows]
    assert likely == sorted(likely)
    assert likely[0] < likely[-1] == 100


def test_a_store_that_tells_nothing_is_named(tmp_path: Path, digits: ImageDataset) -> None:
    plan = make_plan(SPEC, [digits], LIVE)
    record_study(plan, tmp_path)
    with pytest.raises(StoreError, match="needs two pairs in a setting at least"):
        announce_power(Console(), plan, tmp_path)
    console = Console(record=True)
    announce_power(console, plan, tmp_path, is_asked=False)
    assert console.export_text() == ""

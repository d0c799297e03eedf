"""The benchmark of the report runs, on a small store, and measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # half a minute: all of them read one run

BENCHMARK = Path(__file__).with_name("report_at_scale.py")
WORDS = "--scales 1 --seeds 2 --epochs 5 --out store --json found.json"
STAGES = (
    "commit the trials",
    "read, a file a trial",
    "compact",
    "read, compacted",
    "summarise",
    "render",
    "python -m metakd.dashboards OUT",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scale")


@pytest.fixture(scope="module")
def shown(place: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *WORDS.split()],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_stage_is_measured(place: Path, shown: str) -> None:
    found = json.loads((place / "found.json").read_text())
    assert (found["trials"], found["epochs"]) == (200, 5)
    assert tuple(stage["name"] for stage in found["stages"]) == STAGES
    for stage in found["stages"]:
        assert stage["name"] in shown
        assert min(stage["seconds"], stage["cpu_seconds"]) > 0
        assert stage["peak_mib"] > 10
    assert found["bytes"]["report.html"] > found["bytes"]["summary.json"] > 0


def test_the_report_is_of_the_whole_study(place: Path, shown: str) -> None:
    summary = json.loads((place / "store" / "summary.json").read_text())
    inventory = summary["inventory"]
    assert inventory["planned"] == inventory["finished"] == 200
    assert inventory["complete_pairs"] == inventory["planned_pairs"] == 4 * 3 * 2
    assert len(list((place / "store" / "trials").iterdir())) == 1
    assert len(summary["trajectories"]) == 12

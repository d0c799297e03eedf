"""The benchmark of the data path runs, and measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # half a minute: all of them read one run

BENCHMARK = Path(__file__).with_name("data_path.py")
WORDS = """
--dataset synthetic:samples=300,size=16 --student cifar_cnn_tiny --teacher cifar_resnet8
--batch 16 --steps 2 --rounds 2 --samples 200 --json found.json
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict]]:
    place = tmp_path_factory.mktemp("data_path")
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *WORDS.split()],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((place / "found.json").read_text())["cases"]


def test_every_row_is_timed_in_every_round(ran: tuple[str, list[dict]]) -> None:
    shown, (case,) = ran
    names = [row["name"] for row in case["rows"]]
    assert names == ["compute only", "bank", "bank, logits only", "live", "plain loop"]
    for row in case["rows"]:
        assert row["name"] in shown
        assert len(row["seconds"]) == 2
        assert min(row["seconds"]) > 0


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells shared memory")
def test_four_trials_hold_the_bank_once(ran: tuple[str, list[dict]]) -> None:
    _, (case,) = ran
    alone, four = (case["machine"][f"bank, {n} at once, 1 thread(s)"] for n in (1, 4))
    assert 0 < four["bank_mib"] < 2 * alone["bank_mib"]
    assert four["bank_mapped_mib"] > 3 * alone["bank_mapped_mib"]
    assert four["own_mib"] > 3 * alone["own_mib"]

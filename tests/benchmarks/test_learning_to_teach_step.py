import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("learning_to_teach_step.py")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_every_row_is_measured_and_both_gradients_are_one(tmp_path: Path) -> None:
    models = ["--student", "cifar_cnn_tiny", "--teacher", "cifar_cnn_small"]
    words = [*models, "--batch", "8", "--rounds", "1", "--json", "found.json"]
    finished = run(tmp_path, *words)
    assert finished.returncode == 0, finished.stderr
    report = json.loads((tmp_path / "found.json").read_text())
    apart = {row["what"]: row["value"] for row in report["rows"]}["disagreement in float64"]
    assert apart < 1e-9
    assert len(report["cases"]) == 5
    for row in report["cases"]:
        assert row["name"] in finished.stdout
        assert len(row["ratios"]) == 1
        assert row["ratios"][0] > 0
    assert report["cases"][-1]["memory_mib"] > 0


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    finished = run(tmp_path, "--student", "nobody")
    assert finished.returncode == 2
    assert "unknown model 'nobody'" in finished.stderr
    assert list(tmp_path.iterdir()) == []

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("teacher_weights_step.py")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_the_benchmark_has_every_row_with_and_without_features(tmp_path: Path) -> None:
    models = ["--student", "cifar_cnn_tiny", "--teacher", "cifar_cnn_tiny"]
    words = [*models, "--batch", "4", "--rounds", "1", "--json", "found.json"]
    finished = run(tmp_path, *words)
    assert finished.returncode == 0, finished.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    rows = found["cases"]
    assert len(rows) == len(found["rows"]) == 10
    assert {row["with_features"] for row in rows} == {False, True}
    for row in rows:
        assert row["name"] in finished.stdout
        assert len(row["seconds"]) == len(row["ratios"]) == 1
        assert row["ratio"] > 0
        assert (row["counted"] == 1) == (row["name"] == "mean of losses")

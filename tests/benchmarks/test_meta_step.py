import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("meta_step.py")
OURS = (
    "plain KD step",
    "MetaTemperature, default settings",
    "JVP, every step, whole batch",
    "JVP, every step, quarter batch",
    "JVP, every 8th step, whole batch",
    "finite difference, every step",
    "double backward, every step",
)
RIVALS = {"double backward, unrolled by hand": "torch", "higher": "higher", "TorchOpt": "torchopt"}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_benchmark_has_every_row_and_the_rivals_agree_with_us(tmp_path: Path) -> None:
    options = ["--models", "cifar_cnn_tiny", "--batches", "8", "--repeats", "1", "--device", "cpu"]
    finished = run(tmp_path, *options, "--json", "found.json")
    assert finished.returncode == 0, finished.stderr
    assert "target of 1.10" in finished.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    rows = {row["name"]: row for row in found["cases"]}
    assert tuple(rows) == (*OURS, *RIVALS)
    for name, row in rows.items():
        assert name in finished.stdout
        if importlib.util.find_spec(RIVALS.get(name, "torch")) is None:
            assert row["missing"] == "not installed: pip install -e '.[benchmarks]'"
            continue
        assert row["missing"] is None
        assert len(row["seconds"]) == len(row["ratios"]) == 1
        assert row["ratio"] > 0
        assert row["memory_mib"] > 0
        assert (row["agrees_to"] is not None) == (name in RIVALS)
        assert row["agrees_to"] is None or row["agrees_to"] < 1e-6


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    finished = run(tmp_path, "--device", "tpu")
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "invalid choice: 'tpu'" in finished.stderr
    assert list(tmp_path.iterdir()) == []

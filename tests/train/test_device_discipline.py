"""Every distiller on a device that is not there: nothing is left on the CPU, no step waits."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch.utils.backend_registration

from metakd.core.distillers import CONFIGS

HERE = Path(__file__).parent
FURTHER = (
    *("mkd from 1, per sample", "mkd, product, 2 steps"),
    *("metadistil+tau", "mmkd with features"),
)
ASKS_WHETHER_FINITE = ("core/lookahead/sweep.py", "core/live_teacher.py")
"""Where a look-ahead waits, once: what is not finite moves nothing."""

pytestmark = pytest.mark.skipif(
    not hasattr(torch.utils.backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this PyTorch cannot be given a device in Python",
)


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-W", "ignore", str(HERE / "pretended_trials.py")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)])}
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert finished.returncode == 0, finished.stderr
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    return {line["name"]: line for line in lines}


def waits_outside_look_aheads(case: dict[str, Any]) -> list[str]:
    return [line for line in case["waits"] if not line.startswith(ASKS_WHETHER_FINITE)]


@pytest.mark.parametrize("name", [*CONFIGS, *FURTHER])
def test_a_trial_leaves_nothing_on_the_cpu_and_has_the_curve_of_the_cpu(
    name: str, seen: dict[str, dict[str, Any]]
) -> None:
    assert "error" not in seen[name], seen[name]
    recorded = json.loads((HERE / "golden.json").read_text())[name]["curve"]
    assert seen[name]["curve"] == pytest.approx(recorded, rel=1e-3, abs=1e-6)
    assert waits_outside_look_aheads(seen[name]) == []


def test_a_step_that_adamw_counts_on_the_device_is_differentiated_as_on_the_cpu(
    seen: dict[str, dict[str, Any]],
) -> None:
    expected = seen["adamw, on the CPU"]["temperatures"]
    assert expected != [4.0, 4.0]
    assert seen["adamw"]["temperatures"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["adamw", "held out", "bank"])
def test_a_step_waits_for_nothing_and_a_look_ahead_once(
    name: str, seen: dict[str, dict[str, Any]]
) -> None:
    assert "error" not in seen[name], seen[name]
    assert waits_outside_look_aheads(seen[name]) == []
    assert sum(seen[name]["waits"].values()) == seen[name]["look_aheads"]


def test_a_tensor_that_is_left_on_the_cpu_is_caught(seen: dict[str, dict[str, Any]]) -> None:
    assert "MixedDevicesError: aten.mul" in seen["left on the CPU"]["error"]


def test_a_loss_that_is_read_in_every_step_is_caught(seen: dict[str, dict[str, Any]]) -> None:
    (waits,) = seen["reads its loss"]["waits"].values()
    assert waits == 10

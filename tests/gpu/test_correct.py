"""On a GPU: the cases of ``tests/benchmarks/gpu.py`` that say whether metakd is right there."""

import math
from importlib import import_module
from pathlib import Path

import pytest
import torch
from gpu_checks.case import Setup

CASES = [
    (check, case)
    for check in ("scaler", "trials", "hypergradient", "precision")
    for case in import_module(f"gpu_checks.{check}").CASES
]
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, PyTorch sees none here"),
]


@pytest.mark.parametrize(("check", "case"), CASES)
def test_a_case_reaches_its_goal(check: str, case: str, tmp_path: Path) -> None:
    setup = Setup("cuda", False, out=tmp_path, work=tmp_path, data=None, until=math.inf)
    with torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
        found = import_module(f"gpu_checks.{check}").CASES[case](setup)
    assert found.ok, found.numbers

"""Examples run as they stand there, and learn."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from made_up_study import MadeUpStudy
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["lightning_loop.py", "hugging_face_trainer.py"])
def test_a_recipe_learns_temperatures(script: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script)],
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"τ_s ([\d.]+), τ_t ([\d.]+) after (\d+) look-aheads", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) != 4.0 != float(found[2])
    # One at every 8th step, all of them finite.
    assert int(found[3]) == {"lightning_loop.py": 16, "hugging_face_trainer.py": 12}[script]


@pytest.mark.slow
def test_the_notebook_reads_a_store_and_draws(tmp_path: Path) -> None:
    MadeUpStudy().write(tmp_path / "results" / "grid_vs_meta")
    notebook = nbformat.read(EXAMPLES / "read_a_store.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    kinds = {
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        for kind in output.get("data", {})
    }
    assert "text/html" in kinds
    assert "application/vnd.plotly.v1+json" in kinds

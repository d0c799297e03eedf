"""docs/summary.md is what the types of summary.json say of themselves."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_generated_from_the_types() -> None:
    command = [sys.executable, "docs/summary_fields.py", "--check"]
    assert subprocess.run(command, cwd=ROOT).returncode == 0, "run python docs/summary_fields.py"

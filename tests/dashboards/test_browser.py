"""The page in a real browser, from disk."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.figures import FIGURES
from dashboards.report import write_report
from metakd.analysis.summary import Summary

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WORDS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=20000
"""
FLAGS = WORDS.split()

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def open_page(path: Path, query: str, profile: Path, width: int = 1240) -> tuple[str, str]:
    """Returns the document after it was drawn, and the browser's log."""
    run = subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            f"--window-size={width},900",
            f"--user-data-dir={profile}",
            "--dump-dom",
            f"file://{path}?{query}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return run.stdout, run.stderr


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_figures_are_drawn_without_a_word_in_the_console(
    summary: Summary, tmp_path: Path, theme: str
) -> None:
    path = write_report(tmp_path, summary)
    document, log = open_page(path, f"draw=all&theme={theme}", tmp_path / "profile")
    (root,) = re.findall(r"<html[^>]*>", document)
    assert f'data-drawn="{len(FIGURES)}"' in root
    assert f'data-theme="{theme}"' in root
    assert len(re.findall(r'<svg class="main-svg"', document)) >= len(FIGURES)
    assert "CONSOLE" not in log


def test_a_hostile_name_does_not_run(summary: Summary, tmp_path: Path) -> None:
    attack = "document.documentElement.dataset.hacked=1"
    hostile = f"</script><script>{attack}</script><img src=x onerror={attack}>"
    named = replace(
        summary,
        study=hostile,
        settings=tuple(replace(s, key=f"{hostile}{i}") for i, s in enumerate(summary.settings)),
        responses=tuple(replace(c, key=f"{hostile}{i}") for i, c in enumerate(summary.responses)),
    )
    document, _ = open_page(write_report(tmp_path, named), "draw=all", tmp_path / "profile")
    (root,) = re.findall(r"<html[^>]*>", document)
    assert "data-drawn" in root
    assert "data-hacked" not in root

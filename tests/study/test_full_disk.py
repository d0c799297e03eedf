"""A disk that runs full under a study."""

import threading
import time
from pathlib import Path

import pytest
from study_command import run

from metakd.results.reader import finished_trials, read_steps, read_trials

WORDS = """
--cluster local --scales 0.3 --augmentations none --strategies ce --seeds 60 --epochs 20 --out
"""


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_the_store_whole(small_disk: Path) -> None:
    out, filler = small_disk / "out", small_disk / "filler"
    words = [*WORDS.split(), str(out)]

    def fill() -> None:
        while not finished_trials(out):
            time.sleep(0.01)
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    threading.Thread(target=fill, daemon=True).start()
    stopped = run(*words, cwd=small_disk)
    assert stopped.returncode == 2, stopped.stdout
    assert stopped.stderr.startswith(f"error: the disk of {out} is full: finished trials are kept")
    assert stopped.stderr.count("\n") == 1
    kept = finished_trials(out)
    assert 1 <= len(kept) < 60
    assert set(read_trials(out)["trial_id"].to_pylist()) == kept
    assert set(read_steps(out)["trial_id"].to_pylist()) >= kept
    filler.unlink()
    assert f"{len(kept)} finished" in run(*words, "--dry-run", cwd=small_disk).stdout

"""One driver at a time in a results folder, and none for ever."""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from metakd.results.study import check_out
from metakd.study.lock import LockError, only_study_in
from metakd.study.main import main
from metakd.study.spec import StudySpec

HOLD = """
import sys, time
from pathlib import Path
from metakd.study.lock import only_study_in
with only_study_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def never(*given: object) -> NoReturn:
    raise AssertionError("nothing may be rendered")


def test_a_second_study_is_refused_while_the_first_lives_and_not_after_its_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    study = StudySpec(name="s", scales=(0.3,), augmentations=("none",), seeds=1, epochs=1)
    assert main(study, never, never, ["--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert f"another study works in {out} (process {holder.pid} on " in error
    assert error.count("\n") == 1
    # A dry run changes nothing, and may look.
    assert main(study, never, never, ["--out", str(out), "--dry-run"]) == 0
    holder.kill()
    holder.communicate()
    with only_study_in(out), pytest.raises(LockError), only_study_in(out):
        pass


def test_a_folder_that_was_only_held_still_takes_a_study(tmp_path: Path) -> None:
    with only_study_in(tmp_path):
        check_out(tmp_path)
    check_out(tmp_path)
    with only_study_in(tmp_path):
        pass

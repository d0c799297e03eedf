"""Results folders that would not last."""

from pathlib import Path

import pytest

from metakd.study.main import main
from metakd.study.spec import StudySpec
from metakd.study.storage import StorageError, require_lasting


def test_a_job_s_own_working_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unpacked = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_1"
    unpacked.mkdir(parents=True)
    with pytest.raises(StorageError, match="removed with the Ray job"):
        require_lasting(unpacked / "results")
    require_lasting(tmp_path / "results")
    monkeypatch.chdir(unpacked)
    assert main(StudySpec("s"), lambda out, summary: out, print, ["--out", "results"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (unpacked / "results").exists()

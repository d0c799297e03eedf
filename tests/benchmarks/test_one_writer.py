"""The benchmark of one writer runs, on few trials, and loses none of them."""

import json
from pathlib import Path

import pytest
from benchmarks import one_writer


def test_both_ways_write_all_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "found.json"
    words = f"--workers 4 --seconds 1 --epochs 3 --json {found}"
    monkeypatch.setattr("sys.argv", ["one_writer.py", *words.split()])
    one_writer.main()
    shown = capsys.readouterr().out
    alone, together = (json.loads(found.read_text())[name] for name in ("one by one", "together"))
    assert shown.startswith("4 workers, 4 trials of 3 epochs")
    assert alone["files"] == 2 * 4
    assert 2 <= together["files"] <= 2 * 4
    assert min(alone["trials_per_s"], together["trials_per_s"]) > 0


def test_a_lost_trial_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = one_writer.arrivals(3, epochs=2)
    commit = one_writer.commit
    monkeypatch.setattr(one_writer, "commit", lambda out, trials: commit(out, trials[:2]))
    with pytest.raises(RuntimeError, match="lacks some of 3 trials"):
        one_writer.flat_out(tmp_path, packed, 3)

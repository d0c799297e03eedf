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
    each, batches = (json.loads(found.read_text())[name] for name in ("a file each", "batches"))
    assert shown.startswith("4 workers, 4 trials of 3 epochs")
    assert each["files"] == 2 * 4
    assert 2 <= batches["files"] <= 2 * 4
    assert min(each["trials_per_s"], batches["trials_per_s"]) > 0


def test_a_lost_trial_is_noticed(tmp_path: Path) -> None:
    packed = one_writer.arrivals(3, epochs=2)

    def lose(out: Path, trials: list[bytes]) -> None:
        one_writer.write_a_batch(out, trials[:2])

    with pytest.raises(RuntimeError, match="lacks some of 3 trials"):
        one_writer.flat_out(lose, tmp_path, packed, 3)

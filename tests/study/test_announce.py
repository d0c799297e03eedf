import io
from pathlib import Path

from rich.console import Console

from metakd.results.writer import write_trial
from metakd.study.announce import announce_skipped


def told(out: Path, skipped: dict[str, int | None]) -> str:
    for trial_id, count in skipped.items():
        row = {"trial_id": trial_id, "pair_id": "p", "meta_steps_skipped": count}
        write_trial(out, row, [{"trial_id": trial_id, "step": 1}])
    text = io.StringIO()
    announce_skipped(Console(file=text, width=200), out, list(skipped))
    return text.getvalue()


def test_skipped_look_aheads_are_told(tmp_path: Path) -> None:
    found = told(tmp_path, {"a": 2, "b": 0, "c": 3, "d": None})
    assert "5 look-aheads in 2 trials were skipped" in found


def test_nothing_is_said_where_none_was(tmp_path: Path) -> None:
    assert told(tmp_path, {"a": 0, "b": None}) == ""

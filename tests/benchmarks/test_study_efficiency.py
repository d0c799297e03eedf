"""The time of a study's workers is divided without rest, by what the store says."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import study_efficiency
from made_up_trials import MadeUp
from study_efficiency import efficiency, overheads, table
from study_times import TimesError, read_times
from worker_time import (
    AWAITS_TEACHER,
    BANKS,
    BEFORE_LOOK,
    BESIDE,
    BETWEEN,
    COMPUTE,
    LOOK,
    TAIL,
    TEACHERS,
    busy_at_most,
    divide,
)

from metakd.results.look_records import LookRecord, write_looks
from metakd.results.writer import finished_trial, write_trials

SCRIPT = Path(__file__).with_name("study_efficiency.py")
T0 = 1.8e9
WORKERS = {"made-up": 2}


def write_trial(
    out: Path,
    seed: int,
    began: float,
    ended: float,
    compute_s: float,
    elapsed: tuple[float, ...] = (1.0,),
    taken_over_s: float = 0.0,
    started: float | None = None,
) -> None:
    made = MadeUp(0, 0, 0, None, seed)
    row = {
        **made.row(len(elapsed)),
        "student_compute_s": compute_s,
        "wall_s": ended - began + taken_over_s,
        "started": datetime.fromtimestamp(T0 + (began if started is None else started), UTC),
        "ended": datetime.fromtimestamp(T0 + ended, UTC),
    }
    curve = zip(made.curve(len(elapsed)), elapsed, strict=True)
    steps = [{**step, "elapsed_s": seconds} for step, seconds in curve]
    write_trials(out, [finished_trial(row, steps)])


def write_file(path: Path, at: float, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (T0 + at, T0 + at))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two workers, 44 seconds: a teacher, a bank, three trials, a look, two trials."""
    out = tmp_path_factory.mktemp("study")
    write_file(out / "teachers" / "t" / "teacher.json", 20, json.dumps({"train_s": 19}))
    write_file(out / "banks" / "b" / "about.json", 0)
    write_file(out / "banks" / "b" / "views" / "0000-a.npy", 2)
    write_file(out / "banks" / "b" / "outputs" / "t" / "logits-float16" / "0000-a.npy", 22)
    write_trial(out, 1, 2.5, 10, compute_s=6)
    write_trial(out, 2, 22.2, 30, compute_s=7, elapsed=(3.0, 7.0))
    write_trial(out, 3, 23, 31, compute_s=6)
    write_trial(out, 4, 33, 40, compute_s=5)
    # It goes on from the second one's end: its clock and its compute begin with those.
    further = {"elapsed": (3.0, 7.0, 11.0, 16.5), "taken_over_s": 7.0, "started": 22.2}
    write_trial(out, 5, 34, 44, compute_s=16, **further)
    look = LookRecord(
        **{"number": 1, "level": 0.95, "mean_pp": 0.0, "low_pp": -1.0, "high_pp": 1.0},
        **{"word": "open", "pairs": 1, "method": "", "seed_counts": (1,), "sd_pp": (None,)},
        **{"next_seed_counts": (2,), "trials": 3, "wall_s": 31.0},
    )
    write_looks(out, [look])
    return out


def test_every_second_of_every_worker_is_in_one_part(out: Path) -> None:
    times = read_times(out)
    assert busy_at_most(times) == WORKERS
    found = {kind: sum(pieces) for kind, pieces in divide(times, WORKERS).items()}
    expected = {
        COMPUTE: 6 + 7 + 6 + 5 + (16 - 7),
        BESIDE: 1.5 + 0.8 + 2 + 2 + 1,
        TEACHERS: 19,
        BANKS: 2 + 2,
        AWAITS_TEACHER: 10,
        BETWEEN: 0.5 + 0.2 + 1 + 3 + 1,
        BEFORE_LOOK: 1,
        LOOK: 2 + 2,
        TAIL: 4,
    }
    assert found == pytest.approx(expected, abs=1e-4)
    assert sum(found.values()) == pytest.approx(2 * 44, abs=1e-4)


def test_the_table_adds_up_to_100_percent(out: Path) -> None:
    rows = efficiency(read_times(out), WORKERS)
    numbers = {row.what: row.value for row in rows}
    assert numbers[COMPUTE] == pytest.approx(100 * 33 / 88, abs=1e-3)
    assert numbers["wall-clock after the cluster is up"] == pytest.approx(44, abs=1e-4)
    (total,) = (line for line in table(rows).splitlines() if line.startswith("sum"))
    assert total.split()[1] == "100.00"


def test_the_overhead_is_that_of_a_trial_s_own_epochs(out: Path) -> None:
    seconds, share = overheads(read_times(out).trials)
    assert seconds.value == pytest.approx(1.5, abs=1e-4)  # of 0.8, 1, 1.5, 2, 2
    assert share.value == pytest.approx(20, abs=1e-3)  # of 10, 10.3, 20, 25, 28.6


def test_a_worker_that_had_nothing_awaits_the_end(out: Path) -> None:
    found = divide(read_times(out), {"made-up": 3})
    assert sum(map(sum, found.values())) == pytest.approx(3 * 44, abs=1e-4)
    assert sum(found[TAIL]) == pytest.approx(4 + 44, abs=1e-4)


def test_too_few_workers_are_noticed(out: Path) -> None:
    with pytest.raises(TimesError, match="more jobs ran at once than on 1 worker"):
        divide(read_times(out), {"made-up": 1})


def test_trials_of_other_machines_are_on_their_own_workers(out: Path) -> None:
    times = read_times(out)
    moved = [replace(trial, host="other") for trial in times.trials[:1]]
    times = replace(times, trials=(*moved, *times.trials[1:]))
    found = divide(times, {"made-up": 2, "other": 1})
    assert sum(map(sum, found.values())) == pytest.approx(3 * 44, abs=1e-4)


def test_a_store_without_its_times_is_refused_in_one_line(out: Path, tmp_path: Path) -> None:
    write_trial(tmp_path, 1, 2.5, 10, compute_s=6)
    write_file(tmp_path / "teachers" / "t" / "teacher.json", 11, json.dumps({"train_s": 1}))
    command = [sys.executable, str(SCRIPT), "--store", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "it was copied without times" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_study_is_run_and_read(
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """By a script that copies one instead."""
    script = tmp_path / "study.py"
    script.write_text(f"import shutil; shutil.copytree({str(out)!r}, 'out'); print('progress')")
    monkeypatch.setattr(study_efficiency, "SCRIPT", script)
    found = tmp_path / "study.json"
    monkeypatch.setattr(
        "sys.argv", ["study_efficiency.py", "--study", "tiny", "--json", str(found)]
    )
    study_efficiency.main()
    shown = capfd.readouterr()
    assert COMPUTE in shown.out
    assert "progress" in shown.err
    rows = {row["what"]: row for row in json.loads(found.read_text())["rows"]}
    assert rows["trials"]["value"] == 5
    assert "from the command to the first job" in rows

    script.write_text("import sys; sys.exit(3)")
    with pytest.raises(SystemExit, match="the study failed with code 3"):
        study_efficiency.main()

"""One command runs the benchmarks, and keeps their numbers in one form."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from benchmarks import bench
from measured import Row, write_result

ENVIRONMENT = (
    *("cpu", "cores", "memory_gib", "python", "packages", "metakd", "git_commit"),
    *("started", "load_at_start"),
)
FAILS = "import sys; print('half a table'); sys.exit('the disk is full')"
WORKS = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from measured import Row, write_result
print("a table")
write_result(Path(sys.argv[-1]), "works", [Row("speed", 1.0, "1/s")])
"""


def result(path: Path) -> dict[str, Any]:
    """Returns what a part wrote, of the form that all have."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert found["part"] == path.stem
    assert set(ENVIRONMENT) <= set(found["environment"])
    assert {"torch", "ray", "numpy"} <= set(found["environment"]["packages"])
    assert len({row["what"] for row in found["rows"]}) == len(found["rows"]) > 0
    for row in found["rows"]:
        assert {"what", "value", "unit"} <= set(row) <= {"what", "value", "unit", "ratio", "spread"}
        assert all(math.isfinite(row[name]) for name in set(row) - {"what", "unit"})
    return found


def test_parts_run_and_write_one_form(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    words = ["--size", "small", "--parts", "store", "deciding", "--out", str(out)]
    assert bench.main(words) == 0
    assert {path.name for path in out.iterdir()} == {"store.json", "deciding.json"}
    assert "together: as fast as it can" in {
        row["what"] for row in result(out / "store.json")["rows"]
    }
    result(out / "deciding.json")
    shown = capfd.readouterr().out
    assert "16 workers, 16 trials of 3 epochs" in shown  # a part's own table
    store, deciding = shown.splitlines()[-2:]
    assert store.split()[0] == "store"
    assert store.endswith("store.json")
    assert deciding.split()[0] == "deciding"


def test_a_part_that_fails_ends_no_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    (tmp_path / "silent.py").write_text("")
    (tmp_path / "works.py").write_text(WORKS.format(here=str(bench.HERE)))
    made = {name: bench.Part(str(tmp_path / f"{name}.py")) for name in ("fails", "silent", "works")}
    monkeypatch.setattr(bench, "PARTS", made)
    (tmp_path / "fails.json").write_text("from an earlier run")
    assert bench.main(["--out", str(tmp_path)]) == 1
    shown = capfd.readouterr()
    fails, silent, works = shown.out.splitlines()[-3:]
    assert fails.endswith("FAILED: the disk is full")
    assert silent.endswith("FAILED: wrote no result")
    assert works.endswith("works.json")
    assert "half a table" in shown.out
    assert "the disk is full" in shown.err
    assert not (tmp_path / "fails.json").exists()
    result(tmp_path / "works.json")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--parts", "nothing"], "--parts nothing: there is no such part, only deciding, startup"),
        (["--size", "large"], "argument --size: invalid choice: 'large'"),
        (["--out", f"{__file__}/out"], "it cannot be made a folder (Not a directory)"),
        (["--out", __file__], "it cannot be made a folder (File exists)"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        bench.main(words)
    assert refused.value.code == 2
    shown = capsys.readouterr().err
    assert line in shown
    assert shown.count("\n") == 1


def test_every_part_has_its_script() -> None:
    assert all((bench.HERE / part.script).exists() for part in bench.PARTS.values())


def test_a_row_has_medians_and_the_spread_of_its_ratio(tmp_path: Path) -> None:
    row = Row.of("a step", [1.0, 2.0, 4.0], "s", [0.5, 1.0, 2.0])
    assert row == Row("a step", 2.0, "s", ratio=1.0, spread=1.5)
    assert Row.of("a step", [2.0, 4.0, 4.0], "s") == Row("a step", 4.0, "s", spread=0.5)
    write_result(tmp_path / "a.json", "a", [row, Row("files", 2, "files")], rounds=3)
    found = result(tmp_path / "a.json")
    assert found["rounds"] == 3
    assert found["rows"][1] == {"what": "files", "value": 2, "unit": "files"}

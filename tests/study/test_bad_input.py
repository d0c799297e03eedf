"""A user's mistake is one line and exit code 2, before any work."""

import json
import shutil
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metakd.strategies import STRATEGIES, Choices, Search, Strategy
from metakd.study import banks
from metakd.study.main import main
from metakd.study.spec import StudySpec

STUDY = StudySpec(name="s", scales=(0.3,), augmentations=("none",), seeds=1, epochs=1)


def never(*given: object) -> NoReturn:
    raise AssertionError("nothing may be rendered")


def fails(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(STUDY, never, never, words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1, "one line"
    return error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--dataset mnist", "unknown dataset 'mnist', expected one of digits, cifar10,"),
        ("--dataset parquet:nowhere", "nowhere"),
        ("--student cnn", "unknown model 'cnn'"),
        ("--teacher timm:resnet1888", "did you mean timm:resnet18"),
        ("--teacher digit_cnn+digit_cmm --strategies ce mmkd", "unknown model 'digit_cmm'"),
        ("--teacher digit_cnn+digit_mlp", "'fixed' does not fit this study: it takes one teacher"),
        ("--strategies ce mmkd", "'mmkd' does not fit this study: with one teacher it is fixed"),
        (
            "--teacher digit_cnn+timm:resnet18,pretrained=True --strategies camkd",
            "know 1000 classes, but the dataset has 10",
        ),
        ("--strategies magic", "choose from ce, fixed, fixed-no-labels, grid, grid2d"),
        ("--augmentations heavy", "choose from none, standard, strong"),
        ("--temperatures 0 4", "above 0, got 0"),
        ("--scales 0", "(0, 1], got 0"),
        ("--validation half", "--validation: invalid choice: 'half' (choose from"),
        ("--scales 1.5", "(0, 1], got 1.5"),
        ("--scales 1e-6", "fewer than its 10 classes: give --scales 0.0094 or more"),
        ("--scales 0.3 0.3000001", "keep the same 321 training samples"),
        ("--seeds 1000000", "1,000,000 trials or more, and a plan holds at most 20,000"),
        ("--seeds 6000 --strategies grid", "this study has 30,000 trials, and a plan holds"),
        ("--budget 1e9", "budget must be at most 1,000 student runs"),
        ("--epochs 1000000000000", "epochs must be at most 100,000"),
        ("--temperatures 1e-300", "in [0.01, 10000], got 1e-300"),
        ("--temperatures nan", "--temperatures: a finite number is expected"),
        ("--seeds ٣", "--seeds: a whole number is expected"),
        ("--bank-gib nan", "--bank-gib: a finite number is expected"),
        ("--cpus-per-trial 1e-300", "a part of a CPU (0.0001 or more)"),
        ("--max-concurrent 99999999999999999999", "at most 100,000"),
        ("--tau=--", "--tau must not be empty"),
        ("--temp 4", "did you mean --temperatures?"),
        ("—seeds 4", "did you mean --seeds?"),
        ("--teacher timm:resnet18,num_classes=3", "comes from the dataset, which has 10"),
        ("--teacher timm:resnet18,checkpoint_path=/nowhere.pth", "no checkpoint /nowhere.pth"),
        ("--student timm:inception_v4 --strategies ce", "cannot take images of (1, 8, 8)"),
        ("--cluster moon", "auto, local or HOST:PORT"),
        ("--cluster 127.0.0.1:9", "no Ray cluster answers"),
        ("--cluster ray://h:1", "Ray Client"),
        ("--dry-run --cluster ray://h:1", "Ray Client"),
        ("--dry-run --cluster 127.0.0.1:9", "no Ray cluster answers"),
        ("--strategies all ce", "'all' stands alone"),
        ("--until-decided --margin 0", "margin_pp must be above 0"),
        ("--until-decided --margin -1", "margin_pp must be above 0"),
        ("--until-decided --looks 1 3 2", "from 1 on and rising, such as 1 2 4 8, got 1 3 2"),
        ("--until-decided --looks 2 3", "from 1 on and rising"),
        ("--until-decided --looks 1 1", "from 1 on and rising"),
        ("--until-decided --looks 1 1e9", "the last at 1000 pilots or before"),
        ("--until-decided --seeds 1", "a pilot of 1 seed does not show how much seeds differ"),
        (
            "--until-decided --seeds 2 --strategies meta",
            "one strategy, meta, has nothing to be decided",
        ),
        ("--until-decided --seeds 2 --strategies ce align", "has no primary comparison to decide"),
        ("--until-decided --max-hours 0", "max-hours must be above 0"),
        (
            "--until-decided --seeds 2 --continued dkd",
            "does not have cannot go on, got --continued dkd",
        ),
        (
            "--until-decided --seeds 2 --continued ce align",
            "--continued ce align has no primary comparison",
        ),
        ("--continued ce grid", "--continued is for studies that run until they are decided"),
        ("--until-decided --max-runs 0", "max-runs must be at least 1"),
        ("--max-hours 1", "--max-hours is for studies that run until they are decided"),
        ("--looks 1 2", "--looks is for studies that run until they are decided"),
        ("--assume 8xB300", "such as 8xH100 or 64xCPU, got '8xB300'"),
        ("--assume 1xCPU --workers-per-trial 4", "a trial needs 4 workers"),
        ("--seeds 2 --plan-power /nowhere", "/nowhere holds no study"),
    ],
)
def test_it_is_named_in_one_line(
    words: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fails([*words.split(), "--out", str(tmp_path / "out")], capsys)
    assert message in error


def test_a_store_of_another_schema_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.json").write_text(json.dumps({"schema_version": 99}))
    assert "schema version 99" in fails(["--out", str(tmp_path)], capsys)


def test_a_folder_of_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert "something else" in fails(["--out", str(tmp_path)], capsys)


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file" in fails(["--out", str(tmp_path / "file")], capsys)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("", "--out must not be empty"),
        (" ", "--out must not be empty"),
        ("file://", "write --out file:///FOLDER"),
        ("a\nb", "without control characters"),
        ("\udcff", "must be UTF-8 text"),
        ("/proc/x", "no folder can be made in /proc"),
        ("/dev/null", "/dev/null is a file"),
        ("x" * 300, "cannot be used: File name too long"),
        ("~nobody-here/x", "stands for no folder"),
    ],
)
def test_results_go_to_a_folder_that_can_be_made(
    out: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in fails(["--dry-run", "--out", out], capsys)


def test_banks_that_the_disk_does_not_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(banks.shutil, "disk_usage", lambda place: usage)
    words = ["--bank", "full", "--out", str(tmp_path / "out")]
    error = fails([*words, "--augmentations", "standard", "--epochs", "9", "--dry-run"], capsys)
    assert "the banks need 0.0" in error
    assert "choose --bank logits or live" in error
    assert not (tmp_path / "out" / "study.json").exists()


def silent(choices: Choices) -> Search:
    yield from ()


def test_a_strategy_of_ones_own_that_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STRATEGIES, "mine", Strategy("an empty one", silent))
    words = ["--strategies", "mine", "--dry-run", "--out", str(tmp_path / "out")]
    assert "(an empty one) runs nothing" in fails(words, capsys)


def test_a_parquet_file_of_other_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(pa.table({"pixels": [b"1"], "kind": [0]}), tmp_path / "a.parquet")
    words = ["--dataset", f"parquet:{tmp_path / 'a.parquet'}", "--out", str(tmp_path / "out")]
    error = fails(words, capsys)
    assert "pixels, kind" in error
    assert "--image-column" in error


def test_cifar10_without_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--dataset", "cifar10", "--data-dir", str(tmp_path / "none"), "--out"]
    assert "cifar10 cannot be read from" in fails([*words, str(tmp_path / "out")], capsys)

"""A store from somebody else: its words name no file outside it, and nothing in it is executed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from metakd.analysis.summarise import summarise
from metakd.dashboards.report import write_report
from metakd.data.bank.parts import BankError, Parts
from metakd.models.given_weights import read_weights
from metakd.models.names import ModelError
from metakd.results.compaction import compact
from metakd.results.reader import read_trials
from metakd.study.kept_students import keep_selected, sweep_students
from metakd.train.folder import StudyFolder

STORE = sorted((Path(__file__).parent / "stores").iterdir())[-1]
OUTSIDE = "../../outside/evil"
SCRIPT = "<script>alert(1)</script>"


class Executed:
    """What runs a command when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, (str(self.place), "w"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A store in which one trial is called by a path, beside the files of somebody else."""
    out = tmp_path / "study" / "out"
    shutil.copytree(STORE, out)
    named = sorted((out / "trials").glob("*.parquet"))[0].stem
    for table in ("trials", "steps"):
        file = out / table / f"{named}.parquet"
        rows = pq.read_table(file)
        ids = pa.array([OUTSIDE] * rows.num_rows, rows.schema.field("trial_id").type)
        pq.write_table(rows.set_column(0, rows.schema.field("trial_id"), ids), file)
    record = json.loads((out / "study.json").read_text())
    record["planned_trials"] = [OUTSIDE if i == named else i for i in record["planned_trials"]]
    record["study"] = SCRIPT
    (out / "study.json").write_text(json.dumps(record))
    outside = tmp_path / "outside"
    outside.mkdir()
    for ending in (".parquet", ".safetensors", ".json"):
        (outside / f"evil{ending}").write_text("somebody else's")
    return out


def test_no_path_leaves_the_folder(out: Path, tmp_path: Path) -> None:
    assert OUTSIDE in read_trials(out).column("trial_id").to_pylist()
    summarise(out)
    compact(out)
    folder = StudyFolder(out)
    (out / "students").mkdir()
    keep_selected(folder, {OUTSIDE})
    sweep_students(folder)
    for file in (tmp_path / "outside").iterdir():
        assert file.read_text() == "somebody else's"
    assert {place.name for place in tmp_path.iterdir()} == {"study", "outside"}
    assert {place.name for place in (tmp_path / "study").iterdir()} == {"out"}


def test_words_are_words(out: Path) -> None:
    page = write_report(out, summarise(out)).read_text(encoding="utf-8")
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(1)" in page


def test_weights_are_read_as_weights_alone(tmp_path: Path) -> None:
    made = tmp_path / "made"
    file = tmp_path / "teacher.pt"
    torch.save({"weight": Executed(made)}, file)
    with pytest.raises(ModelError, match=r"teacher.pt holds more than weights"):
        read_weights(file)
    assert not made.exists()


def test_arrays_of_banks_and_datasets_are_plain(tmp_path: Path) -> None:
    made = tmp_path / "made"
    parts = Parts(tmp_path, views=1, samples=1)
    evil = np.array([Executed(made)], dtype=object)
    np.save(tmp_path / "0000-0.npy", evil, allow_pickle=True)
    with pytest.raises(BankError, match="is damaged"):
        parts.open()
    assert not made.exists()

"""What machines that share an object store alone hand to each other."""

from pathlib import Path

import pytest
from object_store_server import Server, address_on

from metakd.results.object_store import ObjectStore
from metakd.train.folder import StudyFolder


def test_what_one_machine_hands_over_is_brought_to_another(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(address_on(server, "folders"))
    here, there = (StudyFolder(tmp_path / name, store) for name in ("here", "there"))
    for number in "12":
        (here.banks / "b").mkdir(parents=True, exist_ok=True)
        (here.banks / "b" / number).write_text(number)
    here.push(here.banks / "b")
    assert there.names(there.banks) == {"b/1", "b/2"}
    there.fetch(there.banks / "b" / "1")
    assert not (there.banks / "b" / "2").exists()
    there.fetch(there.banks)
    assert (there.banks / "b" / "2").read_text() == "2"

    (here.banks / "b" / "1").write_text("new")
    here.push(here.banks / "b" / "1")
    there.fetch(there.banks / "b" / "1", anew=True)
    assert (there.banks / "b" / "1").read_text() == "new"
    there.remove(there.banks / "b")
    assert store.names() == {}

    # A file that is here is not asked for.
    monkeypatch.setattr(ObjectStore, "size", lambda *_: pytest.fail("asked"))
    here.fetch(here.banks / "b" / "1")

from pathlib import Path

import pytest

from metakd.atomic import new_file, new_folder


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "file.txt"
    for text in ("first", "second"):
        with new_file(place) as draft:
            draft.write_text(text)
            assert not place.exists() or place.read_text() == "first"
        assert place.read_text() == text
    assert list(place.parent.iterdir()) == [place]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    with new_folder(place) as draft:
        (draft / "a").write_text("1")
        assert not place.exists()
    assert (place / "a").read_text() == "1"
    assert list(tmp_path.iterdir()) == [place]


def test_the_first_writer_of_a_folder_wins(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    with new_folder(place) as late:
        (late / "a").write_text("late")
        with new_folder(place) as early:
            (early / "a").write_text("early")
    assert (place / "a").read_text() == "early"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("writer", [new_file, new_folder])
def test_a_failure_leaves_nothing(tmp_path: Path, writer: object) -> None:
    with pytest.raises(RuntimeError, match="out of power"), writer(tmp_path / "x"):  # type: ignore[operator]
        raise RuntimeError("out of power")
    assert list(tmp_path.iterdir()) == []

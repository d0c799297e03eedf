import numpy as np
import pytest

from metakd.data.datasets import DecodedDataset
from metakd.data.splits import SplitError, make_splits
from metakd.study.data_in_words import data_in_words, notes_on_data
from metakd.study.plan import make_plan
from metakd.study.spec import SpecError, StudySpec


def made(
    labels: list[int], test: list[int] | None = None, names: tuple[str, ...] = ("cat", "dog", "owl")
) -> DecodedDataset:
    """Grey images of 8×8; the first and the last are the same."""
    contents = np.arange(len(labels))
    contents[-1] = 0
    return DecodedDataset(
        labels=np.array(labels),
        class_names=names,
        test_ids=None if test is None else np.array(test),
        name="pets",
        fingerprint="0",
        images=np.zeros((len(labels), 1, 8, 8), np.uint8),
        contents=contents,
        notes=("one\x1bthing",),
    )


def words(dataset: DecodedDataset) -> tuple[str, list[str]]:
    splits = make_splits(dataset.labels, dataset.test_ids, validation_fraction=0.25)
    return data_in_words(dataset, splits), notes_on_data(dataset, splits)


def test_the_data_are_shown() -> None:
    line, notes = words(made([0, 1] * 20, test=[36, 37, 38, 39]))
    assert line == (
        "pets: 3 classes (cat, dog, owl), 8×8 grey, 27 training + 9 held-out samples, "
        "test: official, 4"
    )
    assert notes == [
        "one?thing",
        "1 class has no images: owl",
        "1 of 4 test images are among the training or held-out ones too, pixel for pixel",
    ]


def test_a_drawn_test_set_and_many_long_names_are_shown() -> None:
    names = tuple(f"{letter}[red]\n" * 9 for letter in "abcdefg")
    line, notes = words(made(list(range(7)) * 100, names=names))
    shown = ", ".join(
        f"{letter}[red]?{letter}[red]?{letter}[red]?"[:21] + "..." for letter in "abcde"
    )
    assert line.startswith(f"pets: 7 classes ({shown}, ...), 8×8 grey, 368 training + 122 held-out")
    assert line.endswith("test: drawn, 210")
    assert "\n" not in "".join(notes)


def test_a_class_that_the_test_set_lacks_is_said() -> None:
    _, notes = words(made([0, 1, 2] * 10, test=[0, 1]))
    assert "1 class has no test images: owl" in notes


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        (made([1] * 40), SpecError, "pets has images of one class only, dog: .* at least two"),
        (
            made([0, 1] * 20 + [2], test=[0, 1, 40]),
            SpecError,
            "pets has 1 class in its test set alone, owl, .*: take the 1 image out, or give some",
        ),
        (made(list(range(24)), names=("first",) * 24), SplitError, "class first has 1 image and"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    dataset: DecodedDataset, error: type[Exception], message: str
) -> None:
    spec = StudySpec("s", scales=(1.0,), augmentations=("none",), strategies=("fixed",))
    with pytest.raises(error, match=message):
        make_plan(spec, [dataset])

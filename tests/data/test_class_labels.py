from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from metakd.data.catalogue import DatasetError
from metakd.data.datasets.class_labels import LabelColumn, number_classes, read_labels

TABLE = "set.parquet"
REMEDY = "leave the file out by a glob"


def classes(
    *columns: Any, names: tuple[str, ...] | None = None
) -> tuple[list[list[int]], tuple[str, ...]]:
    arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns]
    read = [read_labels(TABLE, "label", pa.chunked_array([array]), REMEDY) for array in arrays]
    labels, found = number_classes(read, names)
    return [of_file.tolist() for of_file in labels], found


@pytest.mark.parametrize(
    ("column", "labels", "names"),
    [
        (pa.array([2, 0, 1], pa.uint8()), [2, 0, 1], ("0", "1", "2")),
        (pa.array([2, 1, 2], pa.int32()), [1, 0, 1], ("1", "2")),
        ([9, 0, 5], [2, 0, 1], ("0", "5", "9")),
        ([7, 300_000, 48], [0, 2, 1], ("7", "48", "300000")),
        ([1.0, 0.0, 1.0], [1, 0, 1], ("0", "1")),
        ([True, False, True], [1, 0, 1], ("false", "true")),
        (["owl", "cat", "owl"], [1, 0, 1], ("cat", "owl")),
        (pa.array(["b", "a"], pa.large_string()), [1, 0], ("a", "b")),
        (pa.array(["dog", "cat", "dog"]).dictionary_encode(), [1, 0, 1], ("cat", "dog")),
        (pa.array([5, 3, 5]).dictionary_encode(), [1, 0, 1], ("3", "5")),
        # Categories that no row has.
        (pa.DictionaryArray.from_arrays([2, 0], ["a", "b", "c"]), [1, 0], ("a", "c")),
    ],
)
def test_labels_become_classes_and_stay_their_names(
    column: Any, labels: list[int], names: tuple[str, ...]
) -> None:
    assert classes(column) == ([labels], names)


def test_files_share_their_classes() -> None:
    assert classes([4, 2], [2, 8]) == ([[1, 0], [0, 2]], ("2", "4", "8"))
    assert classes([0, 2], names=("a", "b", "c")) == ([[0, 2]], ("a", "b", "c"))
    assert classes(["c", "a"], names=("c", "b", "a")) == ([[0, 2]], ("c", "b", "a"))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            [0, None, 1],
            "row 1: the label must be a class, it is None: 1 of 3 rows have no",
        ),
        ([0, 1, -1], "row 2: .* it is -1: .*leave the file out by a glob"),
        ([0.0, float("nan")], "row 1: .* it is nan"),
        (["a", ""], "row 1: .* it is ''"),
        (pa.array([None, None], pa.null()), "row 0: .*2 of 2 rows have no label"),
        ([0.5, 1.0], "one class a row, it has the number 0.5"),
        ([float("inf"), 1.0], "the number inf"),
        ([[0], [1]], "one class a row, as integers, strings or booleans; it is list"),
        ([7, 2**40], r"go up to 1099511627776, with 2 .*identifiers; .*store them as strings"),
        (pa.array([2**63 + 1, 0], pa.uint64()), "identifiers"),
    ],
)
def test_what_is_no_class_is_refused(column: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        classes(column)
    assert "set.parquet" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_and_strings_do_not_mix() -> None:
    with pytest.raises(DatasetError, match=r"some labels .* are numbers and some are strings"):
        classes([0, 1], ["a", "b"])


def test_a_label_that_has_no_name_is_refused() -> None:
    with pytest.raises(
        DatasetError, match=r"row 1: .*\[0, 2\), it is 2: 2 classes are named there"
    ):
        classes([0, 2], names=("a", "b"))


def test_a_table_without_any_label_is_hidden() -> None:
    def read(*values: int | None) -> LabelColumn:
        return read_labels(TABLE, "label", pa.chunked_array([pa.array(values)]), REMEDY)

    assert read(-1, -1).is_hidden
    assert read(None, None).is_hidden
    assert not read(-1, 0).is_hidden
    assert np.all(read(3).codes == 0)

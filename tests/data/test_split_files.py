"""The rule that reads splits from paths, against its own words."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.data.catalogue import DatasetError
from metakd.data.datasets.split_files import splits_of_files
from metakd.data.datasets.split_names import official_test, split_of

ROOT = Path("/somewhere/test/train-data")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("train-00000-of-00001.parquet", "train"),
        ("seg_train", "train"),
        ("partial-train", "train"),
        ("train2", "train"),
        ("latest-train.parquet", "train"),
        ("TEST", "test"),
        ("seg_test", "test"),
        ("Test (1).parquet", "test"),
        ("testing.parquet", "test"),
        ("eval", "test"),
        ("evaluation_0", "test"),
        ("val", "validation"),
        ("valid.parquet", "validation"),
        ("validation-1", "validation"),
        ("dev", "validation"),
        *[
            (trap, None)
            for trap in ["latest", "contest_a", "trainer", "valley", "devices", "attested", "0000"]
        ],
        # A Mac keeps the accent as a letter of its own.
        ("de\u0301test", None),
    ],
)
def test_a_name_speaks_of_a_split_by_whole_words(name: str, split: str | None) -> None:
    assert split_of(name) == split


@pytest.mark.parametrize(
    ("files", "test"),
    [
        (["data/train-0.parquet", "data/test-0.parquet"], ["data/test-0.parquet"]),
        (["default/train/0.parquet", "default/test/0.parquet"], ["default/test/0.parquet"]),
        (["train.parquet", "dev.parquet"], ["dev.parquet"]),
        (["train.parquet", "val.parquet", "dev.parquet", "eval.parquet"], ["eval.parquet"]),
        (["0.parquet", "1.parquet", "test.parquet"], ["test.parquet"]),
        # Shards of the Hub carry a hash.
        (
            ["train.parquet", "test-0-of-2-0ab.parquet", "test-1-of-2-fed.parquet"],
            ["test-0-of-2-0ab.parquet", "test-1-of-2-fed.parquet"],
        ),
        # What all have in common tells nothing apart.
        (["test/train-0.parquet", "test/test-0.parquet"], ["test/test-0.parquet"]),
        (["test-0.parquet", "test-1.parquet"], []),
        (["contest.parquet", "more.parquet"], []),
        (["trainset-0.parquet", "trainset-1.parquet"], []),
        (["testset.parquet"], []),
    ],
)
def test_the_official_test_set_is_found(files: list[str], test: list[str]) -> None:
    splits = splits_of_files(ROOT, files)
    chosen = official_test(splits)
    found = [file for file, split in zip(files, splits, strict=True) if chosen and split == chosen]
    assert found == test


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a/train/0.parquet", "a/test/0.parquet", "b/test/0.parquet"], "test files in 2 folders"),
        (["train.parquet", "test.parquet", "eval.parquet"], "2 candidates .* eval, test; name"),
        (["train.parquet", "test-a.parquet", "test-b.parquet"], "2 candidates"),
        (["train.parquet", "holdout.parquet"], "no known split, holdout.parquet, beside train: re"),
        (["train/0.parquet", "unsupervised/0.parquet"], "no known split, unsupervised/0.parquet"),
        (["trainset.parquet", "testset.parquet"], "no known split, testset.*, trainset.parquet:"),
        (["train/test-0.parquet", "test/0.parquet"], "train/test-0.parquet names two splits"),
        (["train_val.parquet", "test.parquet"], "train_val.parquet names two splits, train and v"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_was_found(files: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        splits_of_files(ROOT, files)
    assert "\n" not in str(caught.value)


MEANINGS = {
    "train": "train Train training TRAIN seg_train partial-train train_data latest-train",
    "test": "test Test testing eval evaluation seg_test latest-test test_data",
    "validation": "val valid validation dev VAL Dev",
    "": "contest latest attest trainer devil data more default 2021",
    "almost": "trainset testset holdout testdata unsupervised TrainVal",
    "two": "train-test val_test",
}
NAMES = {name: meaning for meaning, names in MEANINGS.items() for name in names.split()}
name = st.sampled_from(sorted(NAMES))
trees = st.lists(st.lists(name, min_size=1, max_size=3).map(tuple), min_size=1, max_size=6).map(
    lambda paths: sorted(set(paths))
)


def expected(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]] | None:
    """The paths of the official test set by the words of the rule; None where it is refused."""
    skip = 0
    while all(len(path) > skip + 1 and path[skip] == paths[0][skip] for path in paths):
        skip += 1
    of_split: dict[str, list[tuple[str, ...]]] = {}
    deciding: dict[tuple[str, ...], int] = {}
    almost = False
    for path in paths:
        meanings = [NAMES[part] for part in path[skip:]]
        said = {meaning for meaning in meanings if meaning in ("train", "test", "validation")}
        if "two" in meanings or len(said) > 1:
            return None
        split = said.pop() if said else ""
        if split:
            deciding[path] = skip + max(at for at, m in enumerate(meanings) if m == split)
        almost |= not split and "almost" in meanings
        of_split.setdefault(split, []).append(path)
    tells_apart = (
        len({tuple("" if part == "2021" else part.lower() for part in p[skip:]) for p in paths}) > 1
    )
    if "" in of_split and tells_apart and (almost or "train" in of_split):
        return None
    is_official = [s for s in ("test", "validation") if s in of_split and len(of_split) > 1]
    for split, members in of_split.items():
        if split and len({path[: deciding[path]] for path in members}) > 1:
            return None
    if not is_official:
        return []
    members = of_split[is_official[0]]
    if len({path[deciding[path]].lower() for path in members}) > 1:
        return None
    return members


@given(trees)
@settings(max_examples=1000, deadline=None)
def test_any_tree_is_read_or_refused_as_the_rule_says(paths: list[tuple[str, ...]]) -> None:
    files = ["/".join(path) for path in paths]
    wanted = expected(paths)
    try:
        splits = splits_of_files(ROOT, [f"{file}.parquet" for file in files])
    except DatasetError:
        assert wanted is None
        return
    chosen = official_test(splits)
    found = [path for path, split in zip(paths, splits, strict=True) if chosen and split == chosen]
    assert found == wanted

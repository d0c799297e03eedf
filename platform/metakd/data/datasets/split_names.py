"""Which split a name speaks of, by the words that the Hugging Face Hub's loader knows.

Words are runs of letters, in any case: ``train-00000-of-00001`` says train, ``latest`` and
``contest`` say nothing.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Literal

from metakd.data.catalogue import DatasetError

Split = Literal["train", "validation", "test"]

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}

KNOWN_WORDS = "train, training; test, testing, eval, evaluation; validation, valid, val, dev"

_ALMOST = re.compile(
    rf"({'|'.join(SPLIT_WORDS)})(set|sets|data|dataset|images?|imgs?|files?|part|split|[abxy])"
    "|trainval|minival|holdout|heldout|unsupervised|unlabell?ed"
)
"""Words that look as if they meant a split which the loader would not see."""

_SHARD = re.compile(r"\d+[-_. ]of[-_. ]\d+.*")


def words(name: str) -> list[str]:
    """Returns the words of a name: its runs of letters, in lower case."""
    # A letter and its accent are one: without this "détest" of a Mac would hold the word "test".
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", name).lower())


def splits_in(name: str) -> set[Split]:
    """Returns the splits that the words of a name speak of."""
    return {SPLIT_WORDS[word] for word in words(name) if word in SPLIT_WORDS}


def split_of(name: str) -> Split | None:
    """Returns the split that the words of one folder's or file's name speak of, if any.

    Raises:
        DatasetError: If they speak of two.
    """
    said = splits_in(name)
    if len(said) > 1:
        raise DatasetError(
            f"{name} names two splits, {' and '.join(sorted(said))}: rename it so that it names one"
        )
    return said.pop() if said else None


def is_almost_split(name: str) -> bool:
    """Returns whether a name looks like a split that is not known: ``trainset``, ``held-out``."""
    found = words(name)
    return any(_ALMOST.fullmatch(word) for word in [*found, "".join(found[:2])])


def without_numbers(name: str) -> tuple[str, ...]:
    """Returns what is alike in the names of the shards of one split: its words without numbers.

    ``test-00000-of-00002-0a1b`` and ``test-00001-of-00002-2c3d`` have ("test",).
    """
    alike: list[str] = []
    for token in re.split(r"[\W_]+", _SHARD.sub("", name.lower().removesuffix(".parquet"))):
        if not re.search(r"\d", token):
            alike.append(token)
        else:
            alike += [word for word in words(token) if word in SPLIT_WORDS]
    return tuple(token for token in alike if token)


def official_test(present: Collection[Split | None]) -> Split | None:
    """Returns the split that is the official test set: test, without one validation.

    Args:
        present: The splits there are; None stands for what names no split.

    Returns:
        None where nothing else would be left to train on, or nothing names a split.
    """
    for split in ("test", "validation"):
        if split in present and len(set(present)) > 1:
            return split
    return None


def notes_on_splits(samples: Mapping[Split | None, int]) -> list[str]:
    """Returns what is not obvious about the use of the splits there are, in sentences.

    Args:
        samples: How many samples each split has; None stands for those that name no split.
    """
    test = official_test(samples)
    notes = []
    if test is None and samples and not {"train", None} & set(samples):
        named = " and ".join(str(split) for split in samples)
        notes.append(f"there is nothing but a {named} split: a test set is drawn from it")
    if test == "validation":
        notes.append("the validation split is the test set, there is no test split")
    if test == "test" and "validation" in samples:
        notes.append(
            f"the validation split, {samples['validation']:,} samples, is part of the training pool"
        )
    if test is not None and None in samples:
        notes.append(f"{samples[None]:,} samples name no split: they are the training pool")
    return notes


def left_out_in_words(left_out: Counter[str]) -> list[str]:
    """Returns one sentence about files that were left out, or none."""
    if not left_out:
        return []
    return ["left out: " + ", ".join(f"{why} ({n:,})" for why, n in sorted(left_out.items()))]

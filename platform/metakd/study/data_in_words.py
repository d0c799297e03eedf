"""What a plan says of a dataset: its classes, its sizes, where its test set comes from."""

from collections.abc import Sequence

import numpy as np

from metakd.analysis.wording import counted
from metakd.data.datasets import ImageDataset
from metakd.data.splits import Splits

SHOWN_CLASSES = 5
LONGEST_NAME = 24
CHANNELS = {1: "grey", 3: "RGB"}


def data_in_words(dataset: ImageDataset, splits: Splits) -> str:
    """Returns classes, image size and counts in one line."""
    channels, height, width = dataset.image_shape
    origin = "drawn" if dataset.test_ids is None else "official"
    return (
        f"{_printable(dataset.name)}: {dataset.num_classes:,} classes "
        f"({_listed(dataset.class_names)}), {height}×{width} "
        f"{CHANNELS.get(channels, f'of {channels} channels')}, {len(splits.train):,} training + "
        f"{len(splits.validation):,} held-out samples, test: {origin}, {len(splits.test):,}"
    )


def notes_on_data(dataset: ImageDataset, splits: Splits) -> list[str]:
    """Returns what a reader should know before the numbers: one sentence each."""
    notes = [_printable(note) for note in dataset.notes]
    if dataset.skipped:
        notes.append(
            f"{counted(dataset.skipped, 'image')} could not be decoded and "
            f"{'is' if dataset.skipped == 1 else 'are'} left out"
        )
    everywhere = _without_images(dataset, np.arange(len(dataset.labels)))
    if everywhere:
        notes.append(f"{_classes(everywhere)} no images: {_listed(everywhere)}")
    in_test = [name for name in _without_images(dataset, splits.test) if name not in everywhere]
    if in_test:
        notes.append(f"{_classes(in_test)} no test images: {_listed(in_test)}")
    if dataset.contents is not None:
        pool = np.concatenate([splits.train, splits.validation])
        twice = int(np.isin(dataset.contents[splits.test], dataset.contents[pool]).sum())
        if twice:
            alike = "pixel for pixel" if dataset.is_decoded else "byte for byte"
            notes.append(
                f"{twice:,} of {len(splits.test):,} test images are among the training or held-out "
                f"ones too, {alike}"
            )
    return notes


def _without_images(dataset: ImageDataset, ids: np.ndarray) -> list[str]:
    counts = np.bincount(dataset.labels[ids], minlength=dataset.num_classes)
    return [dataset.class_names[number] for number in np.flatnonzero(counts == 0)]


def _classes(names: Sequence[str]) -> str:
    return f"{counted(len(names), 'class', 'classes')} {'has' if len(names) == 1 else 'have'}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(_shortened(name) for name in names[:SHOWN_CLASSES])
    return shown if len(names) <= SHOWN_CLASSES else f"{shown}, ..."


def _shortened(name: str) -> str:
    name = _printable(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _printable(text: str) -> str:
    """Returns a text from outside with question marks for what no terminal shows."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)

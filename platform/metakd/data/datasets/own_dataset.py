"""A dataset of a user's own: ``MODULE:FUNCTION`` names a function that returns its arrays."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetError
from metakd.data.datasets.source import Decoded, DecodedSource
from metakd.own_code import OwnCodeError, named

CHANNELS = (1, 3)
SHOWN = 3

Images = NDArray[np.uint8]


def own_source(name: str, place: str) -> DecodedSource:
    """Returns what a function of a user's own returns, as a source.

    The function takes no arguments and returns images and labels, (N, H, W), (N, H, W, C) or
    (N, C, H, W) uint8 of one or three channels and (N,) integers or strings, as arrays or tensors;
    where there is an official test set, also its images and labels.

    Args:
        name: As the study names it, and results show it.
        place: ``MODULE:FUNCTION``.

    Raises:
        DatasetError: If there is no such function, it fails, or it returns something else.
    """
    try:
        function = named(place)
    except OwnCodeError as error:
        raise DatasetError(f"dataset {name!r}: {error}") from error
    if not callable(function):
        raise DatasetError(f"dataset {name!r} must be a function, got {type(function).__name__}")
    try:
        found = function()
    except Exception as error:
        raise DatasetError(f"dataset {name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, tuple) or len(found) not in (2, 4):
        raise DatasetError(
            f"dataset {name!r} must return (images, labels), or (images, labels, test_images, "
            f"test_labels), got {_in_words(found)}"
        )
    parts = [
        (_images(name, found[at]), _labels(name, found[at + 1])) for at in range(0, len(found), 2)
    ]
    for images, labels in parts:
        if len(images) != len(labels):
            raise DatasetError(
                f"dataset {name!r} has {len(images):,} images and {len(labels):,} labels"
            )
    if len({images.shape[1:] for images, _ in parts}) > 1:
        raise DatasetError(
            f"dataset {name!r} has images of {parts[0][0].shape[1:]} (channels, height, width), "
            f"and of {parts[1][0].shape[1:]} in its test set"
        )
    return _source(name, parts)


def _source(name: str, parts: list[tuple[Images, NDArray[Any]]]) -> DecodedSource:
    labels = np.concatenate([labels for _, labels in parts])
    classes, numbers = np.unique(labels, return_inverse=True)
    digest = hashlib.sha256()
    for images, own in parts:
        digest.update(f"{images.shape} {own.dtype}".encode())
        digest.update(np.ascontiguousarray(images).data)
        digest.update("\0".join(map(str, own.tolist())).encode())
    trained = len(parts[0][0])

    def decode() -> Decoded:
        return Decoded(
            image_shape=parts[0][0].shape[1:],
            chunks=[images for images, _ in parts],
            labels=numbers.astype(np.int64),
            class_names=tuple(str(value) for value in classes),
            test_ids=np.arange(trained, len(labels)) if len(parts) > 1 else None,
        )

    return DecodedSource(name=name, key=f"own {digest.hexdigest()}", decode=decode)


def _images(name: str, given: object) -> Images:
    """Returns images as (N, C, H, W)."""
    images = np.asarray(given)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise DatasetError(
            f"images of dataset {name!r} must be uint8 of shape (N, H, W), (N, H, W, C) or (N, C, "
            f"H, W), got {images.dtype} of {images.shape}"
        )
    if images.ndim == 3:
        return images[:, None]
    if images.shape[1] in CHANNELS and images.shape[3] not in CHANNELS:
        return images
    if images.shape[3] in CHANNELS and images.shape[1] not in CHANNELS:
        return images.transpose(0, 3, 1, 2)
    raise DatasetError(
        f"images of dataset {name!r} must have one or three channels, first or last, got "
        f"{images.shape}"
    )


def _labels(name: str, given: object) -> NDArray[Any]:
    labels = np.asarray(given)
    if labels.ndim != 1 or labels.dtype.kind not in "iuUO":
        raise DatasetError(
            f"labels of dataset {name!r} must be integers or strings of shape (N,), got "
            f"{labels.dtype} of {labels.shape}"
        )
    return labels.astype(str) if labels.dtype.kind == "O" else labels


def _in_words(found: object) -> str:
    if not isinstance(found, tuple):
        return type(found).__name__
    kinds = [type(each).__name__ for each in found[:SHOWN]]
    return f"a tuple of {len(found)}: {', '.join(kinds)}{', ...' if len(found) > SHOWN else ''}"

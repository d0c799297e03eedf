"""Models without weights: what is to be known of one before it is trained costs no memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import nn

from metakd.models.create import create_model
from metakd.models.names import ImageShape, ModelError, without_weights


def outline_of(name: str, image_shape: ImageShape, num_classes: int) -> nn.Module:
    """Returns a model whose tensors have shapes and no values, as ``create_model`` would make it.

    Raises:
        ModelError: If there is no such model, or timm cannot build it for these images.
    """
    with torch.device("meta"):
        return create_model(without_weights(name), image_shape, num_classes, seed=0)


@lru_cache(maxsize=64)
def parameters_of(name: str, image_shape: ImageShape, num_classes: int) -> int:
    """Returns how many parameters a model has.

    Raises:
        ModelError: If there is no such model, or timm cannot build it for these images.
    """
    outline = outline_of(name, image_shape, num_classes)
    return sum(parameter.numel() for parameter in outline.parameters())


@contextmanager
def taking_images(name: str, image_shape: ImageShape) -> Iterator[None]:
    """Turns whatever a model says of images that it cannot take into one line.

    Raises:
        ModelError: If it cannot take them.
    """
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise ModelError(
            f"{name!r} cannot take images of {tuple(image_shape)} (channels, height, width): {e}"
        ) from e

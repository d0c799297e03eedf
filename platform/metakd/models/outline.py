"""Models without weights: what is to be known of one before it is trained costs no memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from metakd.core.features import FeatureError, MapShape, map_shape
from metakd.models.create import create_model
from metakd.models.names import ImageShape, ModelError, without_weights

DRAWS = (Tensor.normal_, Tensor.uniform_)


def outline_of(name: str, image_shape: ImageShape, num_classes: int) -> nn.Module:
    """Returns a model whose tensors have shapes and no values, as ``create_model`` would make it.

    Raises:
        ModelError: If there is no such model, or timm cannot build it for these images.
    """
    with torch.device("meta"), _WithoutDraws():
        return create_model(without_weights(name), image_shape, num_classes, seed=0)


class _WithoutDraws(TorchFunctionMode):
    """Draws no weights: there are no values, and PyTorch would import its compiler to draw them."""

    def __torch_function__(
        self,
        func: Any,  # noqa: ANN401 - as torch declares it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        if func in DRAWS and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


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


@lru_cache(maxsize=64)
def feature_shape(name: str, image_shape: ImageShape, num_classes: int) -> MapShape:
    """Returns the shape (c, h, w) of a model's last feature map.

    Args:
        name: As ``create_model`` takes it; weights that it would bring stay where they are.
        image_shape: Shape (C, H, W) of the images.
        num_classes: Classes K.

    Raises:
        ModelError: If there is no such model.
        FeatureError: If it shows no features.
    """
    model = outline_of(name, image_shape, num_classes)
    try:
        return map_shape(model, torch.zeros(1, *image_shape, device="meta"))
    except FeatureError as error:
        raise FeatureError(f"{name}: {error}") from error

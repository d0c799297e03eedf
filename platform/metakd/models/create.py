"""One function makes every model: our own by name, any other as ``timm:NAME``."""

import ast
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from metakd.models.catalogue import CATALOGUE

MODEL_NAMES = tuple(CATALOGUE)
TIMM_PREFIX = "timm:"
TINY_SIDE, SMALL_SIDE = 16, 64
"""Images below so many pixels a side get the models for 8×8 and for 32×32 by default."""

ImageShape = tuple[int, int, int]
Choice = TypeVar("Choice")


class ModelError(ValueError):
    """A model that does not exist, or cannot be built for these images."""


def create_model(name: str, image_shape: ImageShape, num_classes: int, seed: int) -> nn.Module:
    """Creates a model with new weights, the same for the same arguments.

    Args:
        name: One of ``MODEL_NAMES``, or ``timm:NAME`` with options of timm's after commas, for
            example ``timm:vit_tiny_patch16_224,patch_size=4,depth=6``.
        image_shape: Shape (C, H, W) of the images that it will see.
        num_classes: Classes K; the model maps (B, C, H, W) to logits (B, K).
        seed: Seed of the weights. The caller's random state is left as it was.

    Raises:
        ModelError: If there is no such model, or timm cannot build it for these images.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would reseed the caller's GPUs as well.
        torch.default_generator.manual_seed(seed)
        if name in CATALOGUE:
            return CATALOGUE[name](image_shape[0], num_classes)
        return _create_by_timm(name, image_shape, num_classes)


def default_student(image_shape: ImageShape) -> str:
    """Returns the name of a student whose size suits images of shape (C, H, W)."""
    return _by_side(image_shape, "digit_cnn_tiny", "cifar_cnn_tiny", "timm:resnet18")


def default_teacher(image_shape: ImageShape) -> str:
    """Returns the name of a teacher whose size suits images of shape (C, H, W)."""
    return _by_side(image_shape, "digit_cnn", "cifar_cnn", "timm:resnet50")


def teacher_ladder(image_shape: ImageShape) -> tuple[str, ...]:
    """Returns teachers of rising size and accuracy for images of shape (C, H, W).

    The first is the default student's own model. Test accuracies in %: on digits 96.8, 98.8, 98.9
    and 99.4 (means of four seeds), on CIFAR-10 after four epochs 67.7, 68.4, 72.2 and 77.2.
    """
    digits = ("digit_cnn_tiny", "digit_cnn_small", "digit_cnn_medium", "digit_cnn_deep")
    pictures = ("cifar_cnn_tiny", "cifar_cnn_small", "cifar_cnn", "cifar_cnn_deep")
    large = ("timm:resnet18", "timm:resnet34", "timm:resnet50", "timm:resnet101")
    return _by_side(image_shape, digits, pictures, large)


def teacher_ensemble(image_shape: ImageShape) -> tuple[str, ...]:
    """Returns three teachers of different size and architecture for images of shape (C, H, W)."""
    return _by_side(
        image_shape,
        ("digit_mlp", "digit_cnn_small", "digit_cnn_deep"),
        ("cifar_resnet8", "cifar_cnn", "cifar_cnn_deep"),
        ("timm:resnet50", "timm:convnext_tiny", "timm:vit_small_patch16_224"),
    )


def student_ladder(image_shape: ImageShape) -> tuple[str, ...]:
    """Returns two students of rising size for images of shape (C, H, W)."""
    return _by_side(
        image_shape,
        ("digit_mlp", "digit_cnn_tiny"),
        ("cifar_cnn_tiny", "cifar_resnet8"),
        ("timm:mobilenetv3_small_100", "timm:resnet18"),
    )


def split_name(name: str) -> tuple[str, dict[str, Any]]:
    """Returns a model's name without its options, and the options.

    Raises:
        ModelError: If an option is not written key=value.
    """
    model, *words = name.split(",")
    return model, dict(_parse_option(name, word) for word in words)


def join_name(model: str, options: Mapping[str, Any]) -> str:
    """Returns a model's name with options, as ``split_name`` takes it apart."""
    return ",".join([model, *(f"{key}={value}" for key, value in options.items())])


def _by_side(image_shape: ImageShape, tiny: Choice, small: Choice, large: Choice) -> Choice:
    side = max(image_shape[1:])
    if side < TINY_SIDE:
        return tiny
    return small if side < SMALL_SIDE else large


def _create_by_timm(name: str, image_shape: ImageShape, num_classes: int) -> nn.Module:
    # timm costs seconds to import, and our own models need none of it.
    from metakd.models.timm_models import build_timm_model, close_names, is_timm_model

    model, chosen = split_name(name)
    timm_name = model.removeprefix(TIMM_PREFIX)
    if not name.startswith(TIMM_PREFIX) or not is_timm_model(timm_name):
        close = difflib.get_close_matches(name, MODEL_NAMES, n=2) + [
            TIMM_PREFIX + match for match in close_names(timm_name)
        ]
        raise ModelError(
            f"unknown model {name!r}, expected one of {', '.join(MODEL_NAMES)} or {TIMM_PREFIX}NAME"
            + (f"; did you mean {', '.join(close)}?" if close else "")
        )
    options = {
        "in_chans": image_shape[0],
        "num_classes": num_classes,
        **chosen,
    }
    checkpoint = options.get("checkpoint_path")
    if checkpoint is not None and not Path(str(checkpoint)).is_file():
        raise ModelError(f"there is no checkpoint {checkpoint}, which {name!r} asks for")
    try:
        return build_timm_model(timm_name, image_shape, options)
    except (TypeError, ValueError, RuntimeError, AssertionError, OSError) as error:
        raise ModelError(f"timm cannot build {name!r} with {options}: {error}") from error


def _parse_option(name: str, option: str) -> tuple[str, Any]:
    key, equals, value = option.partition("=")
    if not (key.isidentifier() and equals and value):
        raise ModelError(f"model options are written key=value, got {option!r} in {name!r}")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value

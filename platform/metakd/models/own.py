"""Models of a user's own: ``MODULE:FACTORY`` names a function or a class that makes one.

A study's plan adds a version to the name, ``MODULE:FACTORY@VERSION``: a hash of the module's source
and of the shapes of its weights. So it is part of a trial's identity: changed code makes another
model.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from metakd.models.installed_models import with_place
from metakd.models.names import (
    OWN_MODEL,
    ImageShape,
    ModelError,
    join_name,
    split_name,
    without_weights,
)
from metakd.own_code import OwnCodeError, imported, place_of

VERSION_LENGTH = 8
USUAL_CHANNELS = 3
"""Of images: a factory that takes any keyword, as torchvision's do, need not know of others."""


def build_own_model(name: str, image_shape: ImageShape, num_classes: int) -> nn.Module:
    """Returns a new model of a user's own.

    Args:
        name: ``MODULE:FACTORY``, perhaps with a version and options.
        image_shape: Shape (C, H, W) of the images; a factory gets ``in_chans`` C, ``num_classes``
            and ``image_shape`` as far as its keywords are called so, or else C and K by position.
        num_classes: Classes K.

    Raises:
        ModelError: If there is no such factory, it fails, it makes no module, or its code is not of
            the version in the name.
    """
    model, options = split_name(name)
    match = OWN_MODEL.fullmatch(model)
    assert match is not None, name
    module = _imported(match["module"], name)
    factory = getattr(module, match["name"], None)
    if not callable(factory):
        raise ModelError(
            f"{module.__name__} has no function or class {match['name']!r}, which {name!r} "
            f"names: is it spelt as in {module.__file__}?"
        )
    try:
        built = _call(factory, image_shape, num_classes, options)
    except Exception as error:
        raise ModelError(f"{name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(built, nn.Module):
        raise ModelError(f"{name!r} must return a torch.nn.Module, got {type(built).__name__}")
    version = match["version"]
    if version is not None and version != (now := _version(module, built)):
        raise ModelError(
            f"the code of {name!r} is of version {now} here: it was changed since, or is another "
            "on this machine; run the study again, which names it anew"
        )
    return built


@lru_cache(maxsize=64)
def with_version(name: str, image_shape: ImageShape, num_classes: int) -> str:
    """Returns the name of a model of a user's own with its version; any other name as it is.

    One that an installed package registers becomes ``MODULE:FACTORY@VERSION``, too.

    Raises:
        ModelError: If it cannot be built, or does not map images to logits.
    """
    model, options = split_name(with_place(name))
    match = OWN_MODEL.fullmatch(model)
    if match is None:
        return name
    plain = f"{match['module']}:{match['name']}"
    architecture = without_weights(join_name(plain, options))
    built = build_own_model(architecture, image_shape, num_classes)
    _require_logits(built, plain, image_shape, num_classes)
    return join_name(f"{plain}@{_version(_imported(match['module'], name), built)}", options)


def without_version(name: str) -> str:
    """Returns the name of a model of a user's own, whatever its code; any other name as it is."""
    model, options = split_name(name)
    match = OWN_MODEL.fullmatch(model)
    return name if match is None else join_name(f"{match['module']}:{match['name']}", options)


def code_of(name: str) -> Path | None:
    """Returns the file or the package of a model of a user's own.

    None where it is installed, as it then is on every machine, and of any other name.

    Raises:
        ModelError: If it cannot be imported.
    """
    match = OWN_MODEL.fullmatch(split_name(name)[0])
    if match is None:
        return None
    return place_of(match["module"])


def _imported(module: str, name: str) -> ModuleType:
    try:
        return imported(module)
    except OwnCodeError as error:
        raise ModelError(f"{error} ({name!r} needs it)") from error


def _call(
    factory: Callable[..., Any],
    image_shape: ImageShape,
    num_classes: int,
    options: Mapping[str, Any],
) -> object:
    of_data = {
        "in_chans": image_shape[0], "num_classes": num_classes, "image_shape": image_shape,
    }  # fmt: skip
    parameters = inspect.signature(factory).parameters
    known = {key: value for key, value in of_data.items() if key in parameters}
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        known["num_classes"] = num_classes
        if image_shape[0] != USUAL_CHANNELS:
            known["in_chans"] = image_shape[0]
    if "num_classes" in known:
        return factory(**known, **options)
    return factory(image_shape[0], num_classes, **options)


def _version(module: ModuleType, model: nn.Module) -> str:
    digest = hashlib.sha256()
    if module.__file__ is not None:
        digest.update(Path(module.__file__).read_bytes())
    for name, value in model.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
    return digest.hexdigest()[:VERSION_LENGTH]


def _require_logits(model: nn.Module, name: str, image_shape: ImageShape, num_classes: int) -> None:
    """Refuses a model that does not map images to logits, in training or in evaluation."""
    images = torch.zeros(2, *image_shape)
    for is_training in (True, False):
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                found = model.train(is_training)(images)
        except Exception as error:
            raise ModelError(
                f"{name!r} cannot take images of {image_shape} (channels, height, width): {error}"
            ) from error
        if not isinstance(found, torch.Tensor):
            raise ModelError(
                f"{name!r} must return logits (batch, {num_classes}), got {type(found).__name__}"
                + (" in training" if is_training else "")
            )
        if found.shape != (2, num_classes) or not found.is_floating_point():
            raise ModelError(
                f"{name!r} must return logits (batch, classes), for 2 images {(2, num_classes)}, "
                f"got {tuple(found.shape)} of {found.dtype}"
            )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError(f"{name!r} has no parameters to learn")

"""Models that bring their weights: teachers that need no training.

A model's name brings weights where its options say ``pretrained=True``, timm's own, of the tag that
follows the name (``timm:regnety_160.deit_in1k,pretrained=True``), or ``checkpoint_path=FILE``, a
file in timm's format.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.models.create import create_model
from metakd.models.given_weights import GivenWeights, given_weights, statistics_of
from metakd.models.names import (
    TIMM_PREFIX,
    ImageShape,
    ModelError,
    split_name,
    without_weights,
)


def create_trained(name: str, image_shape: ImageShape, num_classes: int) -> nn.Module:
    """Creates a model with the weights that its name brings.

    Args:
        name: One that brings weights.
        image_shape: Shape (C, H, W) of the images that it will see.
        num_classes: Classes K, which have to be those of the weights, in their order.

    Raises:
        ModelError: If the weights cannot be had, or do not fit.
    """
    require_classes(name, num_classes)
    return create_model(name, image_shape, num_classes, seed=0)


def require_classes(name: str, num_classes: int) -> None:
    """Refuses a name whose weights are timm's, of other classes; a file's are known once opened.

    Raises:
        ModelError: If they know another number of classes, or timm has none of this tag.
    """
    model, options = split_name(name)
    if not options.get("pretrained"):
        return
    config = _timm_config(model)
    if config is not None and config.num_classes != num_classes:
        raise ModelError(
            f"the weights of {name!r} know {config.num_classes} classes, but the dataset has "
            f"{num_classes}: train {without_weights(name)!r} instead, or name a checkpoint_path "
            "that knows them"
        )


def take_inputs(model: nn.Module, name: str, mean: Tensor, std: Tensor) -> nn.Module:
    """Lets a model that was trained on otherwise normalised images take inputs as they come here.

    Args:
        model: The model; a hook on it turns its inputs into those that it knows.
        name: Its name, which says how its weights want them: by ``normalise=``, or else by timm's
            configuration; where there is none, as for our own models, as they come.
        mean: What the inputs were centred by, C values in units of 0 to 1.
        std: What they were divided by, C values.

    Raises:
        ModelError: If its name's normalisation is of other channels, or timm's, which has none.
    """
    given = given_weights(name)
    size = None if given is None else given.input_size
    known = _statistics(name, given, mean.numel())
    if known is None and size is None:
        return model
    shape = (1, -1, 1, 1)
    known_mean, known_std = (
        torch.tensor(values, device=mean.device).reshape(shape)
        for values in known or (mean.flatten().tolist(), std.flatten().tolist())
    )
    scale = std.reshape(shape) / known_std
    shift = (mean.reshape(shape) - known_mean) / known_std

    def turn(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images = inputs[0] * scale.to(inputs[0]) + shift.to(inputs[0])
        if size is not None:
            images = F.interpolate(images, (size, size), mode="bilinear", antialias=True)
        return (images, *inputs[1:])

    model.register_forward_pre_hook(turn)
    return model


def _statistics(
    name: str, given: GivenWeights | None, channels: int
) -> tuple[list[float], list[float]] | None:
    """Returns mean and standard deviation of the inputs that weights know; None: as they come."""
    if given is not None and given.normalise != "timm":
        return statistics_of(given.normalise, channels)
    model = split_name(name)[0]
    is_timm = model.startswith(TIMM_PREFIX)
    config = _timm_config(model) if given is None or is_timm else None
    if config is not None:
        return _by_channel(config.mean, channels), _by_channel(config.std, channels)
    if given is not None:
        raise ModelError(
            f"timm has no configuration of {model!r}: say how its images were normalised, by "
            "MEAN/STD, none or dataset"
        )
    return None


def _timm_config(model: str) -> Any:  # noqa: ANN401 - timm's own
    # timm costs seconds to import.
    from metakd.models.timm_models import pretrained_config

    try:
        return pretrained_config(model.removeprefix(TIMM_PREFIX))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"timm has no weights {model!r}: {error}") from error


def _by_channel(values: Sequence[float], channels: int) -> list[float]:
    """Returns a value for each channel; grey images take the mean of the three."""
    if len(values) == channels:
        return list(values)
    return [sum(values) / len(values)] * channels

"""A model's last feature map beside its logits, by timm's own interfaces."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from metakd.core.batches import Inputs

# A head may take the class token alone, and that of a second head.
MOST_CLASS_TOKENS = 2

MapShape = tuple[int, int, int]
"""Channels, height and width of a feature map; a vector is a map of one place."""


class FeatureError(ValueError):
    """A model that shows no features, or features that cannot be matched."""


def logits_and_map(model: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Returns what a model says of its inputs, and the map from which it says it.

    The map is what ``forward_features`` gives to the head: of a convolutional network the last one
    before pooling, of a transformer its last tokens, laid out as a grid without class or register
    tokens. Models whose ``forward_features`` gives something else give the last of
    ``forward_intermediates``.

    Args:
        model: One of timm's or of ``metakd.models``, or any that has timm's ``forward_features``
            and ``forward_head``.
        inputs: Images (B, channels, height, width).

    Returns:
        The logits, (B, C), those of a plain pass; and the map, (B, c, h, w).

    Raises:
        FeatureError: If the model has neither of the interfaces.
    """
    module: Any = model
    if not (hasattr(model, "forward_features") and hasattr(model, "forward_head")):
        raise FeatureError(_no_features(model, "it has no forward_features and forward_head"))
    features = module.forward_features(inputs)
    found = _as_map(model, features, inputs)
    if found is not None:
        return module.forward_head(features), found
    if not hasattr(model, "forward_intermediates"):
        raise FeatureError(_no_features(model, "what forward_features gives is not a map"))
    features, maps = module.forward_intermediates(inputs, indices=1, output_fmt="NCHW")
    return module.forward_head(features), maps[-1]


def map_shape(model: nn.Module, inputs: Inputs) -> MapShape:
    """Returns the shape of a model's last feature map; the model stays as it is.

    Args:
        model: As ``logits_and_map`` takes it.
        inputs: Any images of the right size, (B, channels, height, width).

    Raises:
        FeatureError: If the model shows no features, or these are no images.
    """
    if not isinstance(inputs, Tensor):
        raise FeatureError(
            f"features are matched on images, got inputs by name ({', '.join(inputs)}): match "
            "logits alone (features_weight 0)"
        )
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            _, found = logits_and_map(model, inputs[:1])
    finally:
        model.train(was_training)
    return found.shape[1], found.shape[2], found.shape[3]


def _as_map(model: nn.Module, features: object, inputs: Tensor) -> Tensor | None:
    """Returns features as (B, c, h, w), None where they are no map."""
    if not isinstance(features, Tensor):
        return None
    match features.dim():
        case 4 if getattr(model, "output_fmt", "NCHW") == "NHWC":
            return features.permute(0, 3, 1, 2)
        case 4:
            return features
        case 3:
            return _from_tokens(model, features, inputs)
        case 2:
            return features[:, :, None, None]
    return None


def _from_tokens(model: nn.Module, tokens: Tensor, inputs: Tensor) -> Tensor | None:
    """Returns tokens (B, n, c) as a grid (B, c, h, w), None where only class tokens are there."""
    prefix, count = getattr(model, "num_prefix_tokens", None), tokens.shape[1]
    if prefix is None:
        if count <= MOST_CLASS_TOKENS:
            return None
        prefix = 0 if math.isqrt(count) ** 2 == count else 1
    height, width = _grid(model, count - prefix, inputs)
    if height * width != count - prefix or count == prefix:
        return None
    grid = tokens[:, prefix:].reshape(len(tokens), height, width, -1)
    return grid.permute(0, 3, 1, 2)


def _grid(model: nn.Module, count: int, inputs: Tensor) -> tuple[int, int]:
    patches: Any = getattr(model, "patch_embed", None)
    if hasattr(patches, "dynamic_feat_size"):
        height, width = patches.dynamic_feat_size(tuple(inputs.shape[-2:]))
        if height * width == count:
            return height, width
    side = math.isqrt(count)
    return side, side


def _no_features(model: nn.Module, reason: str) -> str:
    return (
        f"{type(model).__name__} shows no features to match: {reason}; choose a model of timm or "
        "of metakd.models, or match logits alone (features_weight 0)"
    )

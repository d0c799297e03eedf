"""How large a model's last feature map is, before the model is trained."""

from functools import lru_cache

import torch

from metakd.core.features import FeatureError, MapShape, map_shape
from metakd.models.create import create_model
from metakd.models.names import ImageShape, without_weights


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
    model = create_model(without_weights(name), image_shape, num_classes, seed=0)
    try:
        return map_shape(model, torch.zeros(1, *image_shape))
    except FeatureError as error:
        raise FeatureError(f"{name}: {error}") from error

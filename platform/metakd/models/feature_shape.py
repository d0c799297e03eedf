"""How large a model's last feature map is, before the model is trained."""

from functools import lru_cache

import torch

from metakd.core.features import FeatureError, MapShape, map_shape
from metakd.models.names import ImageShape
from metakd.models.outline import outline_of


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

"""One function makes every model: by name, ``timm:NAME``, or a user's own ``MODULE:FACTORY``."""

import torch
from torch import nn

from metakd.models.architectures import CATALOGUE
from metakd.models.names import (
    OWN_MODEL,
    TIMM_PREFIX,
    ImageShape,
    ModelError,
    require_checkpoint,
    split_name,
    unknown_model,
)


def create_model(name: str, image_shape: ImageShape, num_classes: int, seed: int) -> nn.Module:
    """Creates a model with new weights, the same for the same arguments.

    Args:
        name: One of ``MODEL_NAMES``; ``timm:NAME`` or ``timm:hf-hub:OWNER/NAME`` with options of
            timm's after commas, for example ``timm:vit_tiny_patch16_224,patch_size=4,depth=6``; or
            ``MODULE:FACTORY``, with options of the factory's likewise.
        image_shape: Shape (C, H, W) of the images that it will see.
        num_classes: Classes K; the model maps (B, C, H, W) to logits (B, K).
        seed: Seed of the weights. The caller's random state is left as it was.

    Raises:
        ModelError: If there is no such model, or it cannot be built for these images.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would reseed the caller's GPUs as well.
        torch.default_generator.manual_seed(seed)
        if name in CATALOGUE:
            return CATALOGUE[name].build(image_shape[0], num_classes)
        if OWN_MODEL.fullmatch(split_name(name)[0]):
            # Its imports are the user's.
            from metakd.models.own import build_own_model

            return build_own_model(name, image_shape, num_classes)
        return _create_by_timm(name, image_shape, num_classes)


def _create_by_timm(name: str, image_shape: ImageShape, num_classes: int) -> nn.Module:
    # timm costs seconds to import, and our own models need none of it.
    from metakd.models.timm_models import build_timm_model, is_timm_model

    model, chosen = split_name(name)
    timm_name = model.removeprefix(TIMM_PREFIX)
    if not name.startswith(TIMM_PREFIX) or not is_timm_model(timm_name):
        raise unknown_model(name)
    of_data = {"in_chans": image_shape[0], "num_classes": num_classes}
    for option, value in of_data.items():
        if chosen.get(option, value) != value:
            raise ModelError(
                f"{option} of {name!r} comes from the dataset, which has {value}: leave it out"
            )
    options = {**of_data, **chosen}
    require_checkpoint(name)
    try:
        return build_timm_model(timm_name, image_shape, options)
    except (TypeError, ValueError, RuntimeError, AssertionError, OSError) as error:
        raise ModelError(f"timm cannot build {name!r} with {options}: {error}") from error

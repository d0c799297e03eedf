"""timm's side: its models fitted to these images, and our own made known to it.

After ``import metakd.models.timm_models``, ``timm.create_model("cifar_resnet20")`` works.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import timm
from timm.models import PretrainedCfg, load_model_config_from_hf, register_model
from torch import nn

from metakd.models.architectures import CATALOGUE
from metakd.models.classifier import Classifier
from metakd.models.timm_names import HUB_MODEL

SMALL_IMAGE_SIDE = 64
"""Below this many pixels a patch of 16 leaves a transformer too few tokens."""


def is_timm_model(name: str) -> bool:
    """Says whether timm has a model of this name, or looks for it on the Hugging Face Hub."""
    return HUB_MODEL.fullmatch(name) is not None or bool(timm.is_model(name))


def pretrained_config(name: str) -> Any:  # noqa: ANN401 - timm's own
    """Returns timm's configuration of a model's weights: mean, std, num_classes and more.

    None where timm has no weights of the model at all, as of our own.

    Raises:
        RuntimeError: If there are no weights of this tag.
        OSError: If it is a model of the Hub that is neither there nor in the cache.
    """
    return _hub_config(name)[0] if HUB_MODEL.fullmatch(name) else timm.get_pretrained_cfg(name)


def _hub_config(name: str) -> tuple[Any, dict[str, Any]]:
    """Returns the configuration of a model of the Hub, and the options that it was built with."""
    config, _, options = load_model_config_from_hf(name.partition(":")[2])
    return PretrainedCfg(**config), options


def build_timm_model(
    name: str, image_shape: tuple[int, int, int], options: dict[str, Any]
) -> nn.Module:
    """Returns a new timm model; one that is tied to an image size gets that of ``image_shape``.

    A transformer whose patch size can be chosen gets one that leaves a small image 8 × 8 tokens or,
    at patches of 2, fewer.
    """
    config = pretrained_config(name)
    # timm adds these to the options itself.
    built_with = _hub_config(name)[1] if HUB_MODEL.fullmatch(name) is not None else {}
    if config is not None and config.fixed_input_size:
        options = {"img_size": image_shape[1:], **options}
        if max(image_shape[1:]) < SMALL_IMAGE_SIDE and "patch_size" not in {*options, *built_with}:
            # Only the constructor knows whether a model lets its patch size be chosen.
            with contextlib.suppress(TypeError):
                return _create(name, {"patch_size": max(2, image_shape[1] // 8), **options})
    return _create(name, options)


def _create(name: str, options: dict[str, Any]) -> nn.Module:
    model: nn.Module = timm.create_model(name, **options)
    return model


def _register(name: str, build: Callable[[int, int], Classifier]) -> None:
    def entrypoint(
        pretrained: bool = False, in_chans: int = 3, num_classes: int = 10, **_: object
    ) -> Classifier:
        if pretrained:
            raise ValueError(f"{name} has no pretrained weights: leave out pretrained=True")
        return build(in_chans, num_classes)

    entrypoint.__name__ = name
    register_model(entrypoint)


for _name, _architecture in CATALOGUE.items():
    _register(_name, _architecture.build)

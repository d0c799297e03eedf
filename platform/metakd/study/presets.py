"""Named studies: what changes against a study's own defaults, and how it is run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metakd.models.pairs import models_of
from metakd.study.defaults import PUBLISHED


@dataclass(frozen=True)
class Preset:
    """What a name stands for on the command line; explicit words override all of it."""

    about: str
    """One line for --help."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Fields of ``StudySpec``."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """Options of the run, by their names on the command line."""


DEFAULT_PAIR = "resnet32x4:resnet8x4"

DEIT_TEACHER = "timm:regnety_160.deit_in1k,pretrained=True"
"""RegNetY-16GF, 82.9 % on ImageNet: DeiT's own teacher, which saw nothing but ImageNet-1K, so that
results stand beside DeiT's distilled ones."""
STRONG_TEACHER = "timm:convnextv2_large.fcmae_ft_in1k,pretrained=True"
"""ConvNeXt V2-L, 85.8 % on ImageNet, of ImageNet-1K alone: ViT-L passes DeiT's teacher by itself
(84.9 % in DeiT III)."""

SMALL_VIT = "timm:vit_tiny_patch16_224,patch_size=4,embed_dim=64,depth=4,num_heads=2"
LARGER_VIT = "timm:vit_tiny_patch16_224,patch_size=4,embed_dim=128,depth=6,num_heads=4"


def _imagenet(size: str, drop_path: float, teacher: str, epochs: int, seeds: int) -> Preset:
    return Preset(
        about=f"ViT-{size[0].upper()} on --dataset imagefolder:PATH, {epochs} epochs, "
        "8 GPUs a trial",
        spec={
            "recipe": "vit-imagenet",
            "scales": (1.0,),
            "augmentations": ("vit",),
            "teachers": (teacher,),
            "students": (f"timm:vit_{size}_patch16_224,drop_path_rate={drop_path}",),
            "strategies": ("ce", "fixed", "grid", "meta"),
            "temperatures": (1.0, 2.0, 4.0, 8.0, 16.0),
            "seeds": seeds,
            "epochs": epochs,
        },
        run={"workers_per_trial": 8},
    )


PRESETS: dict[str, Preset] = {
    "laptop": Preset("the defaults"),
    "smoke": Preset(
        "a tiny study in about a minute",
        spec={
            "scales": (0.3,),
            "augmentations": ("none", "standard"),
            "temperatures": (1.0, 4.0, 16.0),
            "seeds": 3,
            "epochs": 5,
            "teacher_epochs": 6,
        },
    ),
    "vit-cifar": Preset(
        "a small ViT on --dataset cifar10 or parquet:PATH, taught by a CNN and by a larger ViT",
        spec={
            "recipe": "vit-cifar",
            "scales": (0.1,),
            "augmentations": ("standard", "vit"),
            "teachers": ("cifar_cnn", LARGER_VIT),
            "students": (SMALL_VIT,),
            "temperatures": (1.0, 4.0, 16.0),
            "seeds": 3,
        },
    ),
    "mixing": Preset(
        "mixup and CutMix, with a teacher trained without and with them, for augmentation_gap",
        spec={
            "augmentations": ("standard", "mixup", "cutmix", "mixup+cutmix"),
            "teacher_augmentations": ("standard", "mixup+cutmix"),
            "strategies": ("ce", "fixed", "fixed-no-labels", "grid", "meta"),
        },
    ),
    "cifar100": Preset(
        "CIFAR-100 on a laptop: a tenth of it, a small pair",
        spec={
            "datasets": ("cifar100",),
            "scales": (0.1,),
            "augmentations": ("standard",),
            "teachers": ("cifar_cnn",),
            "students": ("cifar_cnn_tiny",),
            "temperatures": (1.0, 2.0, 4.0, 8.0),
            "epochs": 10,
            "seeds": 3,
            "margin_pp": 0.5,
        },
    ),
    "cifar100-published": Preset(
        "the protocol of the published tables, 240 epochs; --pair TEACHER:STUDENT",
        spec={
            "datasets": ("cifar100",),
            "recipe": PUBLISHED,
            "scales": (1.0,),
            "augmentations": ("standard",),
            "teachers": (models_of(DEFAULT_PAIR)[0],),
            "students": (models_of(DEFAULT_PAIR)[1],),
            "strategies": ("ce", "fixed", "grid", "meta", "align"),
            "temperatures": (1.0, 2.0, 4.0, 8.0),
            "seeds": 4,
        },
    ),
    # Stochastic depth: 0.1 as DeiT has it; ViT-L needs more, 0.45 in DeiT III's 800 epochs.
    "vit-tiny-imagenet": _imagenet("tiny", 0.1, DEIT_TEACHER, epochs=300, seeds=3),
    "vit-small-imagenet": _imagenet("small", 0.1, DEIT_TEACHER, epochs=300, seeds=3),
    "vit-base-imagenet": _imagenet("base", 0.1, DEIT_TEACHER, epochs=300, seeds=3),
    "vit-large-imagenet": _imagenet("large", 0.4, STRONG_TEACHER, epochs=600, seeds=3),
}

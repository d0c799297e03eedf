"""What the data layer has by name: datasets, augmentations, types of logits, kinds of validation.

Nothing here imports PyTorch: the command line names all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from metakd.errors import UserError
from metakd.installed import installed_names, installed_place, require_clear
from metakd.own_code import OWN_NAME, OwnCodeError, is_there
from metakd.registry import Registry

if TYPE_CHECKING:
    from metakd.data.datasets.source import Source

OutputType = Literal["float16", "float32"]
"""How outputs are kept: half precision moves a re-tempered softmax by a KL divergence of 6e-8."""

Validation = Literal["scaled", "full"]
"""The held-out samples of a scale: as large a part of the validation split as its training samples
are of theirs, or all of it."""


class DatasetError(UserError):
    """A dataset that does not exist or cannot be read."""


class AugmentationError(ValueError):
    """An augmentation that does not exist."""


@dataclass(frozen=True)
class DatasetOptions:
    """How datasets are read; each source heeds what concerns it."""

    data_dir: Path | None = None
    """Where downloads go, or lie already."""

    image_column: str | None = None
    """The column of a table that holds the images; None: img or image."""

    label_column: str | None = None
    """The column of a table that holds the labels; None: label or fine_label."""

    corrupt_images: Literal["fail", "skip"] = "fail"
    """What to do about images in Parquet files and folders that cannot be decoded."""


SOURCES: Registry[Callable[[str, DatasetOptions], "Source"]] = Registry(
    {
        "digits": "metakd.data.datasets.digits:digits_source",
        "cifar10": "metakd.data.datasets.torchvision_sets:cifar10_source",
        "cifar100": "metakd.data.datasets.torchvision_sets:cifar100_source",
        "fashion_mnist": "metakd.data.datasets.torchvision_sets:fashion_mnist_source",
        "synthetic": "metakd.data.datasets.synthetic:synthetic_source",
        "parquet": "metakd.data.datasets.parquet:parquet_source",
        "imagefolder": "metakd.data.datasets.image_folder:imagefolder_source",
        "hf": "metakd.data.datasets.hugging_face:hub_source",
    }
)
"""Each maps what follows the colon in ``name:argument``, and the options, to a source."""

GROUP = "metakd.datasets"
"""Of the entry points by which installed packages name functions like ``MODULE:FUNCTION``."""


def dataset_names() -> tuple[str, ...]:
    """Returns the kinds of datasets, and the names of those that installed packages register."""
    return (*SOURCES, *(name for name in installed_names(GROUP) if name not in SOURCES))


def function_of(dataset: str) -> str:
    """Returns the ``MODULE:FUNCTION`` that a dataset of none of ``SOURCES`` stands for."""
    return installed_place(GROUP, dataset) or dataset


def require_known_dataset(dataset: str) -> None:
    """Refuses a dataset of a kind that is not in ``SOURCES``, and that is none of the user's own.

    Args:
        dataset: A kind, ``kind:argument``, the name of an installed one, or ``MODULE:FUNCTION``.

    Raises:
        DatasetError: If there is no such kind, and no such module, or a name stands for two.
    """
    kind = dataset.partition(":")[0]
    if kind in SOURCES:
        return
    try:
        require_clear(GROUP, dataset)
    except OwnCodeError as error:
        raise DatasetError(f"dataset {dataset!r}: {error}") from error
    if installed_place(GROUP, dataset) is not None:
        return
    own = OWN_NAME.fullmatch(dataset)
    if own is None or not is_there(own["module"]):
        raise DatasetError(
            f"unknown dataset {dataset!r}, expected one of {', '.join(dataset_names())}; parquet "
            "and imagefolder take a path, as in parquet:PATH, hf a name, as in hf:NAME; "
            "MODULE:FUNCTION is one of your own"
            + (f", and there is no module {own['module']}" if own is not None else "")
        )


@dataclass(frozen=True)
class Mixing:
    """Which mixtures a recipe draws from; of two, each comes at even odds.

    ``None`` leaves one out. The share of the view itself is drawn from Beta(α, α).
    """

    mixup_alpha: float | None = None
    cutmix_alpha: float | None = None

    @property
    def cut_probability(self) -> float:
        """How often a view is cut, not blended."""
        if self.mixup_alpha is None:
            return 1.0
        return 0.0 if self.cutmix_alpha is None else 0.5


@dataclass(frozen=True)
class Recipe:
    """A named augmentation."""

    base: str
    """What is done to an image alone: none, standard or strong."""
    mixing: Mixing | None = None
    """How views are mixed in pairs; None leaves each as it is."""
    smoothing: float = 0.0
    """Share of the label that all classes get alike (Szegedy et al. 2016, arXiv 1512.00567)."""

    version: int = 1
    """Raised with every change of its views: those of another version are not used."""

    @property
    def is_constant(self) -> bool:
        """Whether all views of an image are the same."""
        return self.base == "none" and self.mixing is None

    @property
    def has_soft_labels(self) -> bool:
        """Whether a view's label is spread over classes."""
        return self.mixing is not None or self.smoothing > 0


RECIPES: dict[str, Recipe] = {
    "none": Recipe("none"),
    "standard": Recipe("standard"),
    "strong": Recipe("strong"),
    # α = 1 as both papers have it on CIFAR.
    "mixup": Recipe("standard", Mixing(mixup_alpha=1.0)),
    "cutmix": Recipe("standard", Mixing(cutmix_alpha=1.0)),
    "mixup+cutmix": Recipe("standard", Mixing(mixup_alpha=1.0, cutmix_alpha=1.0)),
    # The settings of DeiT (Touvron et al. 2021, arXiv 2012.12877), timm's for ViTs.
    "vit": Recipe("strong", Mixing(mixup_alpha=0.8, cutmix_alpha=1.0), smoothing=0.1),
}


def find_recipe(name: str) -> Recipe:
    """Returns the recipe of this name.

    Raises:
        AugmentationError: If there is no such recipe.
    """
    if name not in RECIPES:
        raise AugmentationError(
            f"unknown augmentation {name!r}, expected one of {', '.join(RECIPES)}"
        )
    return RECIPES[name]

"""Which samples a student trains on and which are held out, in how many steps, which views."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.core.recipe import Match, Recipe
from metakd.data.catalogue import OutputType, Validation, find_recipe
from metakd.data.counter_random import derive_seed
from metakd.data.datasets import ImageDataset
from metakd.data.splits import Splits, nested_at_most_per_class, nested_per_class, nested_subset
from metakd.data.views import Views

HELD_OUT_PER_CLASS = 2
"""The fewest held-out samples of a class, at any scale."""


def augmentation_version(name: str) -> dict[str, int]:
    """Returns the version of an augmentation's views, as contents have it."""
    return {f"augmentation {name}": find_recipe(name).version}


@dataclass(frozen=True)
class Sampling:
    """The part of a trial's content that says which samples it has, and how they are shown."""

    scale: float
    """Fraction of the training split, in (0, 1]."""
    augmentation: str
    """Name of the recipe."""
    images_per_class: int | None = None
    """So many of each class make the scale; None takes the fraction, stratified."""
    match: Match = "epochs"
    """Fewer samples are seen for as many epochs, or for as many optimiser steps, as all are."""
    views: int | None = None
    """Different views of each sample, seen in turn; None makes a new one for each pass."""
    logits: OutputType = "float16"
    """The type in which a teacher's outputs are kept, and rounded to where they are live."""
    validation: Validation = "scaled"
    """The held-out samples: as large a part of the validation split as the training samples are of
    theirs, or all of it."""

    @property
    def versions(self) -> dict[str, int]:
        """Version of the augmentation."""
        return augmentation_version(self.augmentation)

    @property
    def unused_fields(self) -> Collection[str]:
        """What makes no difference where all samples are shown."""
        if self.scale < 1:
            return set()
        # So many of each class may hold out fewer than the whole validation split.
        return {"match"} if self.images_per_class is not None else {"match", "validation"}

    @property
    def label(self) -> str:
        """The scale as names of trials have it."""
        if self.images_per_class is not None:
            return f"{self.images_per_class}perclass"
        return f"{100 * self.scale:g}pct"

    def sample_ids(
        self, train_ids: NDArray[np.int64], labels: NDArray[np.int64], seed: int
    ) -> NDArray[np.int64]:
        """Returns the samples of this scale, (n,); those of a smaller one come first.

        Args:
            train_ids: The training split.
            labels: The class of every sample of the dataset.
            seed: The trial's seed.

        Raises:
            SplitError: If there is no such subset.
        """
        if self.images_per_class is not None:
            return nested_per_class(train_ids, labels, self.images_per_class, seed)
        return nested_subset(train_ids, labels, self.scale, seed)

    def held_out_ids(
        self, splits: Splits, labels: NDArray[np.int64], seed: int
    ) -> NDArray[np.int64]:
        """Returns the held-out samples of this scale, (m,); those of a smaller one come first.

        Every class has two of them, or as many as there are. Scale 1 has the whole validation
        split.

        Args:
            splits: Those of the dataset.
            labels: The class of every sample of the dataset.
            seed: The trial's seed.
        """
        ids, seed = splits.validation, derive_seed(seed, "held out")
        scale = 1.0 if self.validation == "full" else self.scale
        if self.images_per_class is not None and self.validation == "scaled":
            share = round(self.images_per_class * len(ids) / len(splits.train))
            count = max(HELD_OUT_PER_CLASS, share)
            return nested_at_most_per_class(ids, labels, count, seed)
        return nested_subset(ids, labels, scale, seed, HELD_OUT_PER_CLASS)

    def steps_per_epoch(self, batch_size: int, samples: int, train_samples: int) -> int:
        """Returns the optimiser steps of an epoch on ``samples`` of ``train_samples``."""
        counted = train_samples if self.match == "steps" else samples
        return counted // min(batch_size, counted)

    def passes(self, recipe: Recipe, samples: int, train_samples: int) -> int:
        """Returns how often each sample is seen, the last time perhaps not every one."""
        steps = recipe.epochs * self.steps_per_epoch(recipe.batch_size, samples, train_samples)
        return math.ceil(steps / (samples // min(recipe.batch_size, samples)))


def training_views(
    sampling: Sampling,
    recipe: Recipe,
    seed: int,
    dataset: ImageDataset,
    train_ids: NDArray[np.int64],
    device: str = "cpu",
) -> Views:
    """Returns the views that a trial's student sees.

    Args:
        sampling: What it is shown.
        recipe: How long it trains.
        seed: The trial's seed.
        dataset: The images.
        train_ids: The training split.
        device: Where views are made.

    Raises:
        SplitError: If there is no such subset.
    """
    ids = sampling.sample_ids(train_ids, dataset.labels, seed)
    return Views(
        dataset,
        sampling.augmentation,
        derive_seed(seed, "augmentation"),
        ids,
        sampling.views or sampling.passes(recipe, len(ids), len(train_ids)),
        device,
    )

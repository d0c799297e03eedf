"""Builds a bank: the views of a sampling and seed, and a teacher's logits on them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from metakd.core.recipe import Recipe
from metakd.data.bank import Outputs, build_outputs, build_views
from metakd.data.views import Views
from metakd.train.folder import StudyFolder
from metakd.train.inputs import Normaliser, forward_batch
from metakd.train.samples import open_samples
from metakd.train.sampling import Sampling, training_views
from metakd.train.teacher import open_teacher, open_teacher_with_features
from metakd.train.teacher_outputs import FEATURES, LOGITS
from metakd.train.trial import DataSpec, TeacherSpec


@dataclass(frozen=True)
class BankContent:
    """What a bank is made of: what the students of a sampling, recipe and seed are shown."""

    data: DataSpec
    sampling: Sampling
    recipe: Recipe
    seed: int

    def views(self, folder: StudyFolder) -> Views:
        """Returns the views, of the prepared dataset."""
        samples = open_samples(self.data, folder)
        return training_views(
            self.sampling,
            self.recipe,
            self.seed,
            samples.dataset,
            samples.splits.train,
            samples.device,
        )


def store_views(content: BankContent, folder: StudyFolder) -> None:
    """Stores the views that a bank lacks.

    Raises:
        DatasetError: If an image cannot be read.
    """
    views = content.views(folder)
    place = folder.banks / views.id
    folder.fetch(place)
    build_views(folder.banks, views)
    folder.push(place)


def store_outputs(
    content: BankContent, teacher: TeacherSpec, with_features: bool, folder: StudyFolder
) -> None:
    """Stores what a bank lacks of a teacher's logits, and of its features where they are kept.

    Raises:
        BankError: If they cannot be kept in the type that the sampling names.
        DatasetError: If an image cannot be read.
    """
    samples, views = open_samples(teacher.data, folder), content.views(folder)
    place = folder.banks / views.id
    folder.fetch(place)
    if with_features:
        forward = partial(_features, open_teacher_with_features(teacher, folder), samples.normalise)
    else:
        forward = partial(_logits, open_teacher(teacher, folder), samples.normalise)
    build_outputs(
        folder.banks,
        views,
        teacher.id,
        forward,
        content.sampling.logits,
        (LOGITS, FEATURES) if with_features else (LOGITS,),
        forward_batch(samples.dataset.image_shape, samples.device),
    )
    folder.push(place)


def _logits(teacher: Callable[[Tensor], Tensor], normalise: Normaliser, images: Tensor) -> Outputs:
    return {LOGITS: teacher(normalise(images))}


def _features(
    teacher: Callable[[Tensor], Outputs], normalise: Normaliser, images: Tensor
) -> Outputs:
    return teacher(normalise(images))

"""How fast a model trains and predicts: measured here, by the loop that trials run, in a second."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from metakd.core.batches import Batch
from metakd.core.distillers import KDConfig
from metakd.core.evaluation import evaluate
from metakd.core.recipe import Recipe
from metakd.core.training import Training
from metakd.data.datasets import ImageDataset
from metakd.data.views import Views
from metakd.models.create import create_model
from metakd.models.names import SMALL_SIDE, without_weights
from metakd.models.outline import parameters_of, taking_images
from metakd.study.plan import Opened
from metakd.train.inputs import HeldOut, Normaliser, ShuffledBatches, forward_batch
from metakd.train.samples import autocast_type

PLAIN = "none"
"""The augmentation that models are measured under; what another one takes is added."""
FIRST_IMAGES = 8
STEP_S = 0.25
"""Batches are measured whole, or as large as a step of this time allows."""
TIMED_S, LEAST_STEPS, MOST_STEPS = 0.15, 2, 50
ROUNDS = 3
"""The median of so many is a step's time: another process's burst is in one of them."""
WARM_UP_STEPS = 2
TIMED_FLOPS = 20e9
"""A step of one image with more operations than these is computed, not measured."""
FEW_PARAMETERS = 10**7
"""So few are measured on small images at once: to count FLOPs takes imports of seconds."""
FORWARD = 1 / 3
"""A forward pass, in steps."""
PRODUCT_SIDE = 1024
WEIGHT_BYTES = 4 * 4
"""A weight, its gradient, its momentum, and the copy of the best epoch."""


class Speeds(Protocol):
    """Seconds on one device: a CPU, or a GPU."""

    @property
    def around(self) -> float:
        """What the exchange of gradients and the optimiser add to passes, as a factor."""

    def step_s(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> float:
        """Returns the seconds of a training step on one of the recipe's batches."""

    def forward_s(self, model: str, opened: Opened) -> float:
        """Returns the seconds of a teacher's forward pass of one image, in float32."""

    def evaluating_s(self, model: str, opened: Opened) -> float:
        """Returns the seconds of evaluating a model on one image, in its training's precision."""

    def view_s(self, opened: Opened, augmentation: str) -> float:
        """Returns the seconds that it takes to make a view of an image, within a step."""

    def loading_s(self, opened: Opened, augmentation: str) -> float:
        """Returns the seconds for each image that other CPUs load beside the passes; 0 without."""

    def memory(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> int:
        """Returns the bytes that training takes: weights, and what a step keeps of its passes."""


@dataclass(frozen=True)
class Step:
    """What one training step takes: seconds, and bytes kept from its forward pass."""

    seconds: float
    bytes: int


@dataclass
class MeasuredSpeeds:
    """Speeds of this machine.

    Args:
        threads: Those of a CPU that work on one step.
        device: "cpu" or "cuda".
    """

    threads: int = 1
    device: str = "cpu"
    _seconds: dict[object, float] = field(default_factory=dict)
    _steps: dict[object, Step] = field(default_factory=dict)

    @property
    def around(self) -> float:
        """1: a measured step has its optimiser in it."""
        return 1.0

    def step_s(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> float:
        """Returns the seconds of a training step, measured once for each model and batch."""
        step = self._step(model, recipe, opened)
        batch = min(recipe.batch_size, len(opened.splits.train))
        more_s = self.view_s(opened, augmentation) - self.view_s(opened, PLAIN)
        return step.seconds + batch * max(0.0, more_s)

    def memory(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> int:
        """Returns the bytes of weights, optimiser and one step's activations."""
        shape, classes = opened.dataset.image_shape, opened.dataset.num_classes
        weights = WEIGHT_BYTES * parameters_of(model, shape, classes)
        return weights + self._step(model, recipe, opened).bytes

    def forward_s(self, model: str, opened: Opened) -> float:
        """Returns the seconds of a forward pass of one image, measured once for each model."""
        return self._image_s(model, opened, None)

    def evaluating_s(self, model: str, opened: Opened) -> float:
        """Returns the same in the precision of a model's training."""
        return self._image_s(model, opened, autocast_type(self.device))

    def _image_s(self, model: str, opened: Opened, autocast: torch.dtype | None) -> float:
        key = "image", model, opened.data, autocast
        if key not in self._seconds:
            enabled = autocast is not None
            mixed = torch.autocast(self.device, autocast, enabled=enabled)
            with self._as_in_trials(), mixed:
                self._seconds[key] = _forward(model, opened.dataset, self.device)
        return self._seconds[key]

    def view_s(self, opened: Opened, augmentation: str) -> float:
        """Returns the seconds of one image's view, measured once for each augmentation."""
        key = "view", augmentation, opened.data
        if key not in self._seconds:
            with self._as_in_trials():
                self._seconds[key] = _view(opened.dataset, augmentation, self.device)
        return self._seconds[key]

    def loading_s(self, opened: Opened, augmentation: str) -> float:
        """Returns 0: a measured step has made its images itself."""
        return 0.0

    def _step(self, model: str, recipe: Recipe, opened: Opened) -> Step:
        batch = min(recipe.batch_size, len(opened.splits.train))
        key = "step", model, batch, recipe.algorithm, opened.data
        if key not in self._steps:
            with self._as_in_trials():
                recipe = replace(recipe, batch_size=batch)
                self._steps[key] = _step(model, recipe, opened.dataset, self.device)
        return self._steps[key]

    @contextmanager
    def _as_in_trials(self) -> Iterator[None]:
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        random = torch.get_rng_state()
        try:
            yield
        finally:
            torch.set_rng_state(random)
            torch.set_num_threads(threads)


def _new(model: str, dataset: ImageDataset, device: str) -> nn.Module:
    name = without_weights(model)
    built = create_model(name, dataset.image_shape, dataset.num_classes, seed=0)
    return built.to(device).to(memory_format=torch.channels_last)


def _views(dataset: ImageDataset, augmentation: str, images: int, device: str) -> Views:
    # The same few over and over: what an image shows changes no time.
    ids = np.arange(images, dtype=np.int64) % len(dataset.labels)
    return Views(dataset, augmentation, 0, ids, MOST_STEPS, device)


def _normaliser(dataset: ImageDataset, device: str) -> Normaliser:
    channels = dataset.image_shape[0]
    half = np.full(channels, 0.5, dtype=np.float32)
    return Normaliser.of(half, half, device)


def _step(model: str, recipe: Recipe, dataset: ImageDataset, device: str) -> Step:
    """Measures a step on a batch, or on as much of it as ``STEP_S`` allows."""
    wanted = recipe.batch_size
    flops = _flops_of_step(model, dataset)
    if device == "cpu" and flops > TIMED_FLOPS:
        return Step(wanted * flops / _flops_per_second(), 0)
    with taking_images(model, dataset.image_shape):
        student = _new(model, dataset, device)
        images = min(FIRST_IMAGES, wanted)
        timed = _timed_step(student, recipe, dataset, images, device)
        while images < wanted and timed.seconds < STEP_S / 2:
            more = int(images * STEP_S / timed.seconds)
            larger = min(wanted, max(2 * images, min(more, 8 * images)))
            try:
                timed = _timed_step(student, recipe, dataset, larger, device)
            except torch.OutOfMemoryError:
                # What fits is measured; whether the whole batch does, its trials will find.
                break
            images = larger
    return Step(timed.seconds * wanted / images, round(timed.bytes * wanted / images))


def _timed_step(
    student: nn.Module,
    recipe: Recipe,
    dataset: ImageDataset,
    images: int,
    device: str,
) -> Step:
    views = _views(dataset, PLAIN, images, device)
    autocast = autocast_type(device)

    def train(steps: int) -> float:
        batches = _Distilled(
            ShuffledBatches(views, images, 0, _normaliser(dataset, device), None, None, steps, 0),
            dataset.num_classes,
        )
        once = Recipe(epochs=1, batch_size=images, lr=recipe.lr, algorithm=recipe.algorithm)
        training = Training(student, KDConfig().build(), once, batches, None, autocast)
        return training.run_epoch().compute_s / steps

    kept = _Kept()
    with saved_tensors_hooks(kept.add, lambda tensor: tensor):
        train(1)
    guess = train(WARM_UP_STEPS)
    steps = min(MOST_STEPS, max(LEAST_STEPS, round(TIMED_S / ROUNDS / max(guess, 1e-6))))
    return Step(statistics.median(train(steps) for _ in range(ROUNDS)), kept.bytes)


class _Distilled:
    """Batches with logits of a teacher, whatever it says."""

    def __init__(self, batches: ShuffledBatches, num_classes: int) -> None:
        self._batches = batches
        self._num_classes = num_classes

    @property
    def steps_per_epoch(self) -> int:
        return self._batches.steps_per_epoch

    def epoch(self, epoch: int) -> Iterator[Batch]:
        for batch in self._batches.epoch(epoch):
            labels = batch.labels
            logits = torch.zeros(len(labels), self._num_classes, device=labels.device)
            yield batch._replace(teacher_logits=logits)


class _Kept:
    """Counts the bytes of tensors that are kept for a backward pass, each storage once."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}

    def add(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        self._sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def bytes(self) -> int:
        return sum(self._sizes.values())


def _forward(model: str, dataset: ImageDataset, device: str) -> float:
    flops = _flops_of_step(model, dataset)
    if device == "cpu" and flops > TIMED_FLOPS:
        return FORWARD * flops / _flops_per_second()
    with taking_images(model, dataset.image_shape):
        built = _new(model, dataset, device)
        images = forward_batch(dataset.image_shape, device)
        if flops:
            images = max(1, min(images, int(TIMED_FLOPS / flops)))
        held_out = HeldOut(_views(dataset, PLAIN, images, device), _normaliser(dataset, device))
        evaluate(built, held_out)
        seconds: list[float] = []
        started = time.perf_counter()
        while time.perf_counter() - started < TIMED_S and len(seconds) < MOST_STEPS:
            began = time.perf_counter()
            evaluate(built, held_out)
            seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)) / images


def _view(dataset: ImageDataset, augmentation: str, device: str) -> float:
    images = FIRST_IMAGES if not dataset.is_decoded else 8 * FIRST_IMAGES
    views, rows = _views(dataset, augmentation, images, device), torch.arange(images)
    views.images(rows, 0)
    seconds = []
    for number in range(1, 1 + LEAST_STEPS):
        began = time.perf_counter()
        views.images(rows, number)
        seconds.append(time.perf_counter() - began)
    return min(seconds) / images


def _flops_of_step(model: str, dataset: ImageDataset) -> float:
    """Returns the operations of a forward and a backward pass of one image; 0 of small models."""
    shape, classes = dataset.image_shape, dataset.num_classes
    is_small = parameters_of(model, shape, classes) < FEW_PARAMETERS
    if is_small and max(shape[1:]) < SMALL_SIDE:
        return 0.0
    from metakd.study.gpu_work import BACKWARD, work_of

    work = work_of(model, shape, classes)
    return (1 + BACKWARD) * (work.convolutions + work.products)


@cache
def _flops_per_second() -> float:
    one, other = torch.rand(2, PRODUCT_SIDE, PRODUCT_SIDE)
    one @ other
    started = time.perf_counter()
    for _ in range(MOST_STEPS // 10):
        one @ other
    return MOST_STEPS // 10 * 2 * PRODUCT_SIDE**3 / (time.perf_counter() - started)

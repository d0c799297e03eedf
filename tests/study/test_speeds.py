"""What is measured of models, apart from the time that it takes."""

import pytest
import torch

from metakd.core.recipe import Recipe
from metakd.data.datasets import open_dataset
from metakd.models.names import ModelError
from metakd.models.outline import parameters_of
from metakd.study import speeds
from metakd.study.options import BankPolicy
from metakd.study.plan import Opened, make_plan
from metakd.study.spec import StudySpec
from metakd.study.speeds import WEIGHT_BYTES, MeasuredSpeeds

RECIPE = Recipe(epochs=3, batch_size=64, lr=0.1)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    place = tmp_path_factory.mktemp("pictures")
    pictures = open_dataset("synthetic:samples=1000,classes=10,size=8", place)
    spec = StudySpec("s", strategies=("ce",), seeds=1)
    return make_plan(spec, [pictures], BankPolicy("live")).opened[0]


def test_each_is_measured_once(opened: Opened) -> None:
    measured = MeasuredSpeeds()
    model = "cifar_cnn_tiny"
    first = measured.step_s(model, RECIPE, opened, "standard")
    assert first > 0
    assert measured.step_s(model, RECIPE, opened, "standard") == first
    assert measured.forward_s(model, opened) == measured.forward_s(model, opened) > 0
    # A CPU evaluates as it answers.
    assert measured.evaluating_s(model, opened) == measured.forward_s(model, opened)
    assert measured.view_s(opened, "standard") == measured.view_s(opened, "standard") > 0
    # A longer training has the same steps.
    longer = Recipe(epochs=300, batch_size=64, lr=0.1)
    assert measured.step_s(model, longer, opened, "standard") == first


def test_measuring_leaves_no_trace(opened: Opened) -> None:
    threads = torch.get_num_threads()
    random = torch.get_rng_state()
    MeasuredSpeeds(threads=threads + 1).step_s("cifar_cnn_tiny", RECIPE, opened, "strong")
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random)


def test_memory_grows_with_the_batch_and_the_model(opened: Opened) -> None:
    measured = MeasuredSpeeds()

    def activations(model: str, batch: int) -> int:
        recipe = Recipe(epochs=1, batch_size=batch, lr=0.1)
        shape, classes = opened.dataset.image_shape, opened.dataset.num_classes
        weights = WEIGHT_BYTES * parameters_of(model, shape, classes)
        return measured.memory(model, recipe, opened, "none") - weights

    small, large = activations("cifar_resnet8", 16), activations("cifar_resnet8", 32)
    # The input of the first convolution, and its output, are among what a step keeps.
    assert small > 4 * 16 * (3 + 16) * 8 * 8
    # Weights are kept for the backward pass, too, once.
    assert 1.4 * small < large <= 2 * small
    assert activations("cifar_resnet20", 16) > 1.5 * small


def test_a_batch_larger_than_the_training_set_is_all_of_it(opened: Opened) -> None:
    measured = MeasuredSpeeds()
    samples = len(opened.splits.train)
    whole, more = (Recipe(epochs=1, batch_size=n, lr=0.1) for n in (samples, 10 * samples))
    model = "cifar_cnn_tiny"
    one = measured.step_s(model, whole, opened, "none")
    assert measured.step_s(model, more, opened, "none") == one


def test_a_model_too_large_to_try_is_computed(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr(speeds, "_new", never)
    monkeypatch.setattr(speeds, "TIMED_FLOPS", 1e6)
    monkeypatch.setattr(speeds, "FEW_PARAMETERS", 1)
    monkeypatch.setattr(speeds, "_flops_per_second", lambda: 1e9)
    measured = MeasuredSpeeds()
    step_s = measured.step_s("cifar_resnet20", RECIPE, opened, "none")
    assert step_s == pytest.approx(3 * 64 * measured.forward_s("cifar_resnet20", opened))
    assert step_s > 64 * 1e6 / 1e9


def test_a_model_that_cannot_take_the_images_is_named(opened: Opened) -> None:
    model = "timm:vit_tiny_patch16_224,patch_size=16"
    with pytest.raises(ModelError, match="vit_tiny"):
        MeasuredSpeeds().step_s(model, RECIPE, opened, "none")

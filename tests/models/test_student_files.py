"""A student comes back from its two files as it was, and what is wrong with them is one line."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from metakd.models.create import create_model
from metakd.models.names import ModelError
from metakd.models.student_files import load_student, write_weights
from metakd.student_card import StudentCard, StudentFileError, read_card, write_card

SHAPE = (3, 32, 32)
CLASSES = tuple(f"class {i}" for i in range(7))
ROW = {"trial_id": "a", "test_acc_last": 0.75, "ended": datetime(2026, 11, 29, tzinfo=UTC)}


def card(model: str = "cifar_resnet8") -> StudentCard:
    return StudentCard(model, SHAPE, CLASSES, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "all", ROW)


@pytest.fixture
def trained() -> nn.Module:
    """A student whose BatchNorm has seen something, laid out as in a trial."""
    model = create_model("cifar_resnet8", SHAPE, len(CLASSES), seed=3)
    model = model.to(memory_format=torch.channels_last)
    for _ in range(3):
        model(torch.randn(8, *SHAPE))
    return model.eval()


@pytest.fixture
def place(tmp_path: Path, trained: nn.Module) -> Path:
    place = tmp_path / "students" / "a.safetensors"
    write(place, trained.state_dict())
    return place


def write(place: Path, weights: Mapping[str, Tensor]) -> None:
    write_weights(place, weights)
    write_card(place, card())


def images() -> Tensor:
    return torch.randint(0, 256, (16, *SHAPE), generator=torch.Generator().manual_seed(0)).byte()


def test_it_maps_images_to_the_same_logits(place: Path, trained: nn.Module) -> None:
    student = load_student(place)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (card().mean, card().std))
    expected = trained((images().float().div(255) - mean) / std)
    assert not student.training
    torch.testing.assert_close(student(images()), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(student(images().float() / 255), expected, rtol=1e-5, atol=1e-5)


def test_any_tool_reads_its_weights(place: Path, trained: nn.Module) -> None:
    found, expected = load_file(place), trained.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_the_card_says_what_it_is(place: Path) -> None:
    found = read_card(place)
    assert (found.model, found.image_shape, found.classes) == ("cifar_resnet8", SHAPE, CLASSES)
    assert (found.mean, found.std) == (card().mean, card().std)
    assert found.trial == {**ROW, "ended": "2026-11-29T00:00:00+00:00"}
    assert load_student(str(place)).card == found


def test_weights_that_share_memory_are_kept(tmp_path: Path) -> None:
    weights = create_model("cifar_resnet8", SHAPE, 7, seed=0).state_dict()
    shape = next(v.shape for k, v in weights.items() if k.endswith("bn1.weight"))
    first, second = [k for k, v in weights.items() if k.endswith("weight") and v.shape == shape][:2]
    weights[second] = weights[first]
    write(tmp_path / "b.safetensors", weights)
    found = load_student(tmp_path / "b.safetensors").model.state_dict()
    assert torch.equal(found[first], found[second])


def test_it_can_be_trained_on(place: Path) -> None:
    student = load_student(place)
    student(images()).sum().backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert len(list(student.parameters())) == len(list(student.model.parameters()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda weights, about: weights.unlink(), "there is no student .*: is the path right"),
        (lambda weights, about: weights.write_bytes(b"PAR1"), "damaged, or no safetensors file"),
        (lambda weights, about: about.unlink(), "which says what model the weights are of"),
        (lambda weights, about: about.write_text("{"), "does not describe a student"),
        (lambda weights, about: about.write_text("{}"), "does not describe a student"),
        (lambda weights, about: edit(about, format_version=2), "has format version 2, .* reads 1"),
        (lambda weights, about: edit(about, model="cifar_resnet20"), "are not those of 'cifar_re"),
        (lambda weights, about: edit(about, classes=["one"]), "are not those of 'cifar_resnet8'"),
    ],
)
def test_what_is_wrong_is_one_line(place: Path, change, said: str) -> None:
    change(place, place.with_suffix(".json"))
    with pytest.raises(StudentFileError, match=said) as caught:
        load_student(place)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_here_is_named(place: Path) -> None:
    edit(place.with_suffix(".json"), model="cifar_resnet9")
    with pytest.raises(ModelError, match="unknown model 'cifar_resnet9'"):
        load_student(place)


def edit(about: Path, **changes: object) -> None:
    about.write_text(json.dumps({**json.loads(about.read_text()), **changes}))

from pathlib import Path

import pytest
import timm
import torch

from metakd.models import timm_models
from metakd.models.create import create_model
from metakd.models.names import (
    ModelError,
    brings_weights,
    default_student,
    teacher_ladder,
    without_weights,
)
from metakd.models.pretrained import create_trained, take_inputs

SHAPE = (3, 32, 32)
SMALL = "timm:vit_tiny_patch16_224,patch_size=16,depth=1,embed_dim=24"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file as timm's training loop leaves it."""
    torch.manual_seed(7)
    options = {"img_size": 32, "patch_size": 16, "depth": 1, "embed_dim": 24}
    model = timm.create_model("vit_tiny_patch16_224", num_classes=5, **options)
    torch.save({"state_dict": model.state_dict(), "epoch": 3}, tmp_path / "model.pth.tar")
    return tmp_path / "model.pth.tar"


@pytest.mark.parametrize(
    ("name", "brings", "without"),
    [
        ("digit_cnn", False, "digit_cnn"),
        ("timm:resnet18", False, "timm:resnet18"),
        ("timm:resnet18,pretrained=False", False, "timm:resnet18"),
        ("timm:regnety_160.deit_in1k,pretrained=True", True, "timm:regnety_160.deit_in1k"),
        (f"{SMALL},checkpoint_path=/data/my.pth", True, SMALL),
        (f"{SMALL},drop_path_rate=0.1", False, f"{SMALL},drop_path_rate=0.1"),
    ],
)
def test_the_name_says_whether_weights_come_with_it(name: str, brings: bool, without: str) -> None:
    assert brings_weights(name) is brings
    assert without_weights(name) == without


def test_a_checkpoint_in_timms_format_is_loaded(checkpoint: Path) -> None:
    name = f"{SMALL},checkpoint_path={checkpoint}"
    model = create_trained(name, SHAPE, 5)
    state = torch.load(checkpoint)["state_dict"]
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    # The architecture alone takes these weights.
    create_model(without_weights(name), SHAPE, 5, seed=0).load_state_dict(state)


def test_inputs_are_turned_into_those_that_the_weights_know(checkpoint: Path) -> None:
    name = f"{SMALL},checkpoint_path={checkpoint}"
    images = torch.rand(2, *SHAPE, dtype=torch.float64)
    # timm's configuration of this model says 0.5 and 0.5.
    expected = create_trained(name, SHAPE, 5).double()((images - 0.5) / 0.5)
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    model = take_inputs(create_trained(name, SHAPE, 5).double(), name, mean, std)
    shown = (images - mean.double().reshape(1, 3, 1, 1)) / std.double().reshape(1, 3, 1, 1)
    assert torch.allclose(model(shown), expected, atol=1e-6)
    assert not torch.allclose(create_trained(name, SHAPE, 5).double()(shown), expected, atol=1e-2)


def test_a_checkpoint_of_our_own_takes_inputs_as_they_come(tmp_path: Path) -> None:
    file = tmp_path / "own.pth"
    own = create_model("cifar_cnn_tiny", SHAPE, 5, seed=3).eval()
    torch.save(own.state_dict(), file)
    name = f"timm:cifar_cnn_tiny,checkpoint_path={file}"
    images = torch.randn(2, *SHAPE)
    model = take_inputs(
        create_trained(name, SHAPE, 5), name, torch.tensor([0.5]), torch.tensor([1.0])
    ).eval()
    assert torch.equal(model(images), own(images))
    with pytest.raises(ModelError, match="no pretrained weights"):
        create_trained("timm:cifar_cnn_tiny,pretrained=True", SHAPE, 5)


def test_grey_images_take_the_mean_of_the_channels() -> None:
    name = "timm:resnet18.a1_in1k"
    model = torch.nn.Identity()
    take_inputs(model, name, torch.tensor([0.0]), torch.tensor([1.0]))
    mean, std = (0.485 + 0.456 + 0.406) / 3, (0.229 + 0.224 + 0.225) / 3
    assert model(torch.ones(1, 1, 1, 1)).item() == pytest.approx((1 - mean) / std)


def test_weights_that_do_not_fit_or_are_not_there_are_explained(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="know 1000 classes, but the dataset has 5: train"):
        create_trained("timm:resnet18.a1_in1k,pretrained=True", SHAPE, 5)
    with pytest.raises(ModelError, match=r"no weights 'timm:resnet18\.nobody': Invalid"):
        create_trained("timm:resnet18.nobody,pretrained=True", SHAPE, 1000)
    with pytest.raises(ModelError, match="size mismatch"):
        create_trained(f"{SMALL},checkpoint_path={checkpoint}", SHAPE, 7)
    with pytest.raises(ModelError, match=r"there is no checkpoint nowhere\.pth"):
        create_trained(f"{SMALL},checkpoint_path=nowhere.pth", SHAPE, 5)

    def unreachable(name: str, options: dict[str, object]) -> None:
        raise FileNotFoundError("cannot find the requested files; check your connection")

    monkeypatch.setattr(timm_models, "_create", unreachable)
    with pytest.raises(ModelError, match="check your connection"):
        create_trained("timm:resnet18.a1_in1k,pretrained=True", SHAPE, 1000)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
def test_a_ladder_rises_from_the_students_own_size(shape: tuple[int, int, int]) -> None:
    ladder = teacher_ladder(shape)
    sizes = [
        sum(p.numel() for p in create_model(name, shape, 10, seed=0).parameters())
        for name in ladder
    ]
    assert ladder[0] == default_student(shape)
    assert len(ladder) >= 4
    assert sizes == sorted(sizes)
    assert sizes[-1] > 15 * sizes[0]

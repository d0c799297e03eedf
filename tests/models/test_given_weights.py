"""Teachers that were trained elsewhere: their files are read, their inputs are what they knew."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from metakd.models.create import create_model
from metakd.models.given_weights import (
    given_weights,
    hash_of,
    load_weights,
    read_weights,
    with_hash,
)
from metakd.models.names import (
    ModelError,
    at_home,
    brings_weights,
    normalise_of,
    require_known_model,
    without_weights,
)
from metakd.models.pretrained import take_inputs

SHAPE = (3, 32, 32)
NAME = "cifar_resnet8,weights=FILE,normalise=none"


@pytest.fixture
def model() -> nn.Module:
    return create_model("cifar_resnet8", SHAPE, 5, seed=3).eval()


def same(found: dict[str, Tensor], model: nn.Module) -> bool:
    own = model.state_dict()
    return found.keys() == own.keys() and all(torch.equal(found[key], own[key]) for key in own)


@pytest.mark.parametrize("wrapped", [None, "state_dict", "model", "model_state_dict", "net"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module.", "model."])
def test_whatever_a_training_script_left_is_read(
    tmp_path: Path, model: nn.Module, wrapped: str | None, prefix: str
) -> None:
    file = tmp_path / "teacher.pt"
    weights: Any = {prefix + key: value for key, value in model.state_dict().items()}
    torch.save(weights if wrapped is None else {wrapped: weights, "epoch": 3, "lr": 0.1}, file)
    other = create_model("cifar_resnet8", SHAPE, 5, seed=9)
    load_weights(other, read_weights(file), NAME)
    assert same(other.state_dict(), model)


def test_safetensors_are_read(tmp_path: Path, model: nn.Module) -> None:
    save_file(model.state_dict(), tmp_path / "teacher.safetensors")
    assert same(read_weights(tmp_path / "teacher.safetensors"), model)


class Anything:
    """What a pickle may hold, and what is never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            lambda model: pickle.dumps(Anything()),
            "holds more than weights, or is damaged, and is not",
        ),
        (lambda model: {"model": model}, "holds more than weights"),
        (lambda model: {"epoch": 3}, "holds no state dict"),
        (lambda model: [torch.zeros(3)], "holds no state dict"),
        (lambda model: b"", "cannot be read as weights|holds more than weights"),
    ],
)
def test_other_files_are_refused_and_nothing_of_them_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: nn.Module, content: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file, made = tmp_path / "teacher.pt", content(model)
    if isinstance(made, bytes):
        file.write_bytes(made)
    else:
        torch.save(made, file)
    with pytest.raises(ModelError, match=said) as caught:
        read_weights(file)
    assert "\n" not in str(caught.value)
    assert not Path("ran").exists()


def test_what_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "teacher.safetensors").write_bytes(b"PAR1")
    with pytest.raises(ModelError, match="cannot be read as weights"):
        read_weights(tmp_path / "teacher.safetensors")
    with pytest.raises(ModelError, match="there are no weights"):
        read_weights(tmp_path / "nothing.pt")


@pytest.mark.parametrize(
    ("other", "classes", "said"),
    [
        (
            "cifar_resnet8",
            7,
            r"fc\.weight is \(5, 64\) there and \(7, 64\) here|\(5,\) there and \(7,\)",
        ),
        ("cifar_resnet20", 5, "it lacks .* and .* more"),
        ("cifar_cnn_tiny", 5, "the weights are not those of 'cifar_cnn_tiny': it lacks .*; it has"),
    ],
)
def test_weights_of_another_model_are_told_by_what_differs(
    model: nn.Module, other: str, classes: int, said: str
) -> None:
    name = NAME.replace("cifar_resnet8", other)
    with pytest.raises(ModelError, match=said) as caught:
        load_weights(create_model(other, SHAPE, classes, seed=0), model.state_dict(), name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("normalise", "mean", "std"),
    [
        ("none", [0.0] * 3, [1.0] * 3),
        ("0.5/0.25", [0.5] * 3, [0.25] * 3),
        ("0.1:0.2:0.3/0.4:0.5:0.6", [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]),
        ("dataset", [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]),
        ("timm", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ],
)
def test_it_sees_images_normalised_as_in_its_training(
    normalise: str, mean: list[float], std: list[float]
) -> None:
    images = torch.rand(2, *SHAPE)
    ours = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    name = f"timm:resnet18.a1_in1k,weights=FILE,normalise={normalise}"
    seen = take_inputs(nn.Identity(), name, *ours)(
        (images - ours[0].reshape(1, 3, 1, 1)) / ours[1].reshape(1, 3, 1, 1)
    )
    known_mean, known_std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (mean, std))
    torch.testing.assert_close(seen, (images - known_mean) / known_std, rtol=1e-4, atol=1e-5)


def test_it_sees_images_of_the_size_of_its_training() -> None:
    name = f"{NAME},input_size=64"
    ours = torch.tensor([0.5] * 3), torch.tensor([0.25] * 3)
    seen = take_inputs(nn.Identity(), name, *ours)(torch.full((2, *SHAPE), 2.0))
    # 2 is a brightness of 1, which stays one at any size.
    torch.testing.assert_close(seen, torch.ones(2, 3, 64, 64))


def test_the_name_says_what_was_given() -> None:
    given = given_weights("mymodels:large,width=3,weights=~/t.pt,normalise=none,input_size=64")
    assert given is not None
    assert (given.file, given.normalise, given.input_size) == ("~/t.pt", "none", 64)
    assert given_weights("cifar_resnet8") is None
    assert brings_weights(NAME)
    assert without_weights("m:f,width=3,weights=t.pt,normalise=none,input_size=64") == "m:f,width=3"
    # Of a model without weights they are options like others.
    assert without_weights("m:f,input_size=64") == "m:f,input_size=64"
    assert at_home("digit_mlp,weights=~/t.pt,normalise=none+digit_cnn").startswith(
        f"digit_mlp,weights={Path.home()}/t.pt,"
    )


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    named = [with_hash(f"digit_mlp,weights={tmp_path / n},normalise=none") for n in ("a", "b", "c")]
    assert named[0][0] == named[1][0] != named[2][0]
    assert named[0] == (
        f"digit_mlp,weights={hash_of(tmp_path / 'a')},normalise=none", tmp_path / "a",
    )  # fmt: skip
    assert with_hash("digit_mlp") == ("digit_mlp", None)
    (tmp_path / "a").write_bytes(b"22")
    assert hash_of(tmp_path / "a") != hash_of(tmp_path / "b")
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        hash_of(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("digit_mlp,weights=t.pt", "say how their images were normalised, by --teacher-normalise"),
        ("digit_mlp,weights=t.pt,normalise=half", "normalise is none, dataset, timm or MEAN/STD"),
        ("digit_mlp,weights=t.pt,normalise=1/2/3", "normalise is none, dataset, timm or MEAN/STD"),
        ("digit_mlp,weights=t.pt,normalise=0.5/0", "deviations above 0"),
        ("digit_mlp,weights=t.pt,normalise=nan/1", "needs finite means"),
        (
            "digit_mlp,weights=t.pt,normalise=none,input_size=0",
            "whole number of pixels up to 4,096",
        ),
        ("digit_mlp,weights=t.pt,normalise=none,input_size=big", "whole number of pixels"),
    ],
)
def test_what_is_not_said_of_inputs_is_asked_for(name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        require_known_model(name)


def test_channels_and_configurations_that_do_not_fit_are_refused() -> None:
    ours = torch.tensor([0.5]), torch.tensor([0.25])
    with pytest.raises(ModelError, match="has 3 channels, and the images have 1"):
        take_inputs(nn.Identity(), "digit_mlp,weights=t,normalise=1:2:3/1:1:1", *ours)
    with pytest.raises(ModelError, match="timm has no configuration of 'digit_mlp'"):
        take_inputs(nn.Identity(), "digit_mlp,weights=t,normalise=timm", *ours)
    assert normalise_of("0.5/0.25") == ((0.5,), (0.25,))

"""Models of a user's own: found, called as they want to be, versioned by their code, refused."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from metakd.models.create import create_model
from metakd.models.names import ModelError, require_known_model
from metakd.models.outline import feature_shape, parameters_of
from metakd.models.own import code_of, with_version, without_version
from metakd.models.student_files import load_student, write_weights
from metakd.student_card import StudentCard, write_card

SHAPE = (1, 8, 8)
CODE = """
    from torch import nn

    def small(in_chans, num_classes, width=8):
        return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_chans, width), nn.ReLU(),
                             nn.Linear(width, num_classes))

    class Net(nn.Module):
        def __init__(self, channels, classes):
            super().__init__()
            self.layers = small(channels, classes)

        def forward(self, images):
            return self.layers(images)

    def by_shape(image_shape, num_classes):
        return small(image_shape[0], num_classes)

    def any_keyword(**options):
        assert options.pop("num_classes") == 10
        channels = options.pop("in_chans", 3)
        assert not options
        return small(channels, 10)

    def no_module(in_chans, num_classes):
        return "a network"

    def fails(in_chans, num_classes):
        raise RuntimeError("no\\nluck")

    def other_classes(in_chans, num_classes):
        return small(in_chans, 7)

    def flat(in_chans, num_classes):
        return nn.Flatten()

    def other_images(in_chans, num_classes):
        return nn.Linear(5, num_classes)

    class Pair(Net):
        def forward(self, images):
            logits = self.layers(images)
            return (logits, logits) if self.training else logits

    class Classes(Net):
        def forward(self, images):
            return self.layers(images).argmax(1, keepdim=True).repeat(1, 10)

    def nothing_to_learn(in_chans, num_classes):
        return small(in_chans, num_classes).requires_grad_(False)

    value = 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a module of models, and nothing of it left afterwards."""
    (tmp_path / "mymodels.py").write_text(dedent(CODE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with_version.cache_clear()
    yield tmp_path
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mymodels", "mine")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    with_version.cache_clear()


@pytest.mark.parametrize("factory", ["small", "Net", "by_shape", "any_keyword", "small,width=12"])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_called_as_it_wants_to_be(factory: str, channels: int) -> None:
    name, shape = f"mymodels:{factory}", (channels, 8, 8)
    require_known_model(name)
    versioned = with_version(name, shape, 10)
    model = create_model(versioned, shape, 10, seed=0)
    assert model(torch.zeros(2, *shape)).shape == (2, 10)
    width = 12 if "width" in factory else 8
    assert parameters_of(versioned, shape, 10) == 64 * channels * width + width + width * 10 + 10


def test_its_weights_follow_from_the_seed() -> None:
    first, again, other = (
        create_model("mymodels:small", SHAPE, 10, seed).state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_the_version_is_of_the_code_and_of_the_shapes(here: Path) -> None:
    name = with_version("mymodels:small", SHAPE, 10)
    assert name.startswith("mymodels:small@")
    assert with_version(name, SHAPE, 10) == name
    assert with_version("mymodels:small", SHAPE, 12) != name
    wide = with_version("mymodels:small,width=9", SHAPE, 10)
    assert wide.endswith(",width=9")
    assert wide.partition(",")[0] != name
    assert [without_version(each) for each in (name, wide, "digit_mlp")] == [
        "mymodels:small", "mymodels:small,width=9", "digit_mlp",
    ]  # fmt: skip
    forget()
    assert with_version("mymodels:small", SHAPE, 10) == name
    (here / "mymodels.py").write_text(dedent(CODE).replace("ReLU", "GELU"))
    forget()
    assert with_version("mymodels:small", SHAPE, 10) != name
    with pytest.raises(ModelError, match=r"the code of 'mymodels:small@.{8}' is of version"):
        create_model(name, SHAPE, 10, seed=0)


def test_other_names_have_no_version() -> None:
    for name in ("digit_mlp", "timm:resnet18", "timm:resnet18,pretrained=True"):
        assert with_version(name, (3, 32, 32), 10) == name
        assert code_of(name) is None


def test_a_student_of_ones_own_is_loaded_whatever_else_its_code_says_now(here: Path) -> None:
    name, weights = with_version("mymodels:small", SHAPE, 10), here / "a.safetensors"
    model = create_model(name, SHAPE, 10, seed=5)
    write_weights(weights, model.state_dict())
    write_card(weights, StudentCard(name, SHAPE, tuple("0123456789"), (0.0,), (1.0,), "best"))
    (here / "mymodels.py").write_text(dedent(CODE) + "# a remark\n")
    forget()
    images = torch.rand(3, *SHAPE)
    torch.testing.assert_close(load_student(weights)(images), model(images))


def test_a_package_in_the_working_directory_is_found_and_shipped_whole(here: Path) -> None:
    (here / "mine" / "nets").mkdir(parents=True)
    for package in ("mine", "mine/nets"):
        (here / package / "__init__.py").touch()
    (here / "mine" / "nets" / "small.py").write_text(dedent(CODE))
    name = with_version("mine.nets.small:small", SHAPE, 10)
    assert create_model(name, SHAPE, 10, seed=0)(torch.zeros(1, *SHAPE)).shape == (1, 10)
    assert code_of(name) == here / "mine"
    assert code_of("mymodels:small") == here / "mymodels.py"


def test_what_is_installed_is_not_shipped() -> None:
    name = with_version("torchvision.models:resnet18", (3, 32, 32), 10)
    assert create_model(name, (3, 32, 32), 10, seed=0)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert code_of(name) is None


def test_its_features_are_refused_where_it_shows_none() -> None:
    with pytest.raises(ValueError, match="mymodels:small"):
        feature_shape(with_version("mymodels:small", SHAPE, 10), SHAPE, 10)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:small", "there is no module 'nowhere', .* MODULE:FACTORY, and nowhere.py or"),
        ("my.models:small", "there is no module 'my'"),
        ("mymodels:", "unknown model 'mymodels:', expected .* or MODULE:FACTORY"),
        ("mymodels:a-b", "unknown model"),
    ],
)
def test_a_module_that_is_not_there_is_refused_before_anything_is_imported(
    name: str, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        require_known_model(name)
    assert "mymodels" not in sys.modules


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("large", "mymodels has no function or class 'large'"),
        ("value", "mymodels has no function or class 'value'"),
        ("no_module", "'mymodels:no_module' must return a torch.nn.Module, got str"),
        ("fails", "'mymodels:fails' failed: RuntimeError: no luck"),
        ("small,depth=3", "failed: TypeError: .*unexpected keyword argument 'depth'"),
        (
            "other_classes",
            r"must return logits .*, for 2 images \(2, 10\), got \(2, 7",
        ),
        ("flat", r"got \(2, 64\)"),
        ("other_images", r"'mymodels:other_images' cannot take images of \(1, 8, 8\)"),
        ("Pair", r"must return logits \(batch, 10\), got tuple in training"),
        ("Classes", r"got \(2, 10\) of torch.int64"),
        ("nothing_to_learn", "has no parameters to learn"),
    ],
)
def test_what_is_no_classifier_is_refused_in_one_line(factory: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        with_version(f"mymodels:{factory}", SHAPE, 10)
    assert "\n" not in str(caught.value)


def test_a_module_that_cannot_be_imported_is_refused_in_one_line(here: Path) -> None:
    (here / "mymodels.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(ModelError, match=r"mymodels cannot be imported: ModuleNotFoundError"):
        with_version("mymodels:small", SHAPE, 10)

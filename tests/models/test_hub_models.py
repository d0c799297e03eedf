"""timm's models of the Hugging Face Hub, from a cache in the Hub's layout: no network."""

import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from study_command import TINY, run
from timm.models import save_for_hf

from metakd.models.create import create_model
from metakd.models.hub_models import with_commit
from metakd.models.names import ModelError, brings_weights, require_known_model, split_name
from metakd.models.outline import parameters_of
from metakd.models.pretrained import create_trained, take_inputs

COMMIT, LATER = "5" * 40, "7" * 40
NAME = "timm:hf-hub:garden/small-vit"
PINNED = f"{NAME}@{COMMIT}"
VIT = {"img_size": 32, "patch_size": 8, "depth": 1, "embed_dim": 24, "num_heads": 2}
SHAPE = (3, 32, 32)


def commit(home: Path, repository: str, sha: str = COMMIT) -> Path:
    """Returns the folder of a new commit, which main stands for, in the Hub's cache."""
    place = home / "hub" / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True, exist_ok=True)
    (place / "refs" / "main").write_text(sha)
    (place / "snapshots" / sha).mkdir(parents=True)
    return place / "snapshots" / sha


def save(home: Path, sha: str = COMMIT, seed: int = 7) -> "torch.nn.Module":
    torch.manual_seed(seed)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=5, **VIT)
    model.pretrained_cfg["mean"] = (0.3, 0.3, 0.3)
    folder = commit(home, "garden/small-vit", sha)
    save_for_hf(model, str(folder), model_args=VIT, safe_serialization=True)
    return model.eval()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    yield tmp_path / "home"
    parameters_of.cache_clear()


def test_a_plan_names_the_commit(home: Path) -> None:
    save(home)
    require_known_model(NAME)
    assert with_commit(NAME) == PINNED
    assert with_commit(f"{NAME}@main,drop_rate=0.1") == f"{PINNED},drop_rate=0.1"
    assert with_commit(PINNED) == PINNED
    save(home, LATER)
    assert with_commit(NAME) == f"{NAME}@{LATER}"
    assert with_commit(PINNED) == PINNED
    for other in ("timm:resnet18,drop_rate=0.1", "digit_cnn", "mymodels:small@0123abcd"):
        assert with_commit(other) == other


def test_it_has_new_weights_and_fits_the_images(home: Path) -> None:
    saved = save(home).state_dict()
    assert not brings_weights(PINNED)
    model, again = (create_model(PINNED, SHAPE, 5, seed=3) for _ in range(2))
    state = model.state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in saved.items()}
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in state.items())
    assert not torch.equal(state["blocks.0.attn.qkv.weight"], saved["blocks.0.attn.qkv.weight"])
    # The saved size of images does not bind, its patches do.
    grey = create_model(PINNED, (1, 48, 48), 7, seed=0)
    assert grey(torch.zeros(2, 1, 48, 48)).shape == (2, 7)
    assert parameters_of(PINNED, SHAPE, 5) == sum(v.numel() for v in saved.values())


def test_its_weights_come_where_they_are_named(home: Path) -> None:
    saved = save(home)
    name = with_commit(f"{NAME},pretrained=True")
    assert brings_weights(name)
    model = create_trained(name, SHAPE, 5)
    assert all(torch.equal(v, saved.state_dict()[k]) for k, v in model.state_dict().items())
    mean, std = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([1.0, 1.0, 1.0])
    images = torch.rand(2, *SHAPE)
    config = saved.pretrained_cfg
    assert config["mean"] == (0.3, 0.3, 0.3)
    expected = saved((images - 0.3) / torch.tensor(config["std"]).reshape(1, 3, 1, 1))
    taken = take_inputs(model.eval(), name, mean, std)
    assert torch.allclose(taken(images - 0.5), expected, atol=1e-5)
    with pytest.raises(ModelError, match="know 5 classes, but the dataset has 3"):
        create_trained(name, SHAPE, 3)


def test_weights_that_are_not_in_the_cache_are_missed_in_the_plan(home: Path) -> None:
    save(home)
    (weights,) = (home / "hub").rglob("model.safetensors")
    weights.unlink()
    assert with_commit(NAME) == PINNED
    with pytest.raises(ModelError, match=r"weights of .* are not in the cache below HF_HOME"):
        with_commit(f"{NAME},pretrained=True")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "is not in the cache below HF_HOME, .* by hf download garden/other"),
        ("{", "config.json is damaged"),
        ("[]", "config.json is damaged"),
        ('{"model_type": "bert"}', "is no model of timm's: its config.json names no architecture"),
        ('{"architecture": "Bert"}', "no model of timm's: its config.json names 'Bert'"),
    ],
)
def test_what_is_no_model_of_timms_is_one_line(home: Path, config: str | None, said: str) -> None:
    if config is not None:
        (commit(home, "garden/other") / "config.json").write_text(config)
    with pytest.raises(ModelError, match=said) as caught:
        with_commit("timm:hf-hub:garden/other")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["timm:hf-hub:", "timm:hf-hub:resnet18", "timm:hf-hub:a/b/c", "timm:hub:a/b", "hf-hub:a/b"],
)
def test_a_name_of_another_form_is_refused_at_once(name: str) -> None:
    with pytest.raises(ModelError, match="unknown model"):
        require_known_model(name)


def test_options_are_split_off() -> None:
    assert split_name(f"{PINNED},drop_rate=0.1") == (PINNED, {"drop_rate": 0.1})


def test_a_study_plans_with_it_and_misses_it_in_one_line(tmp_path: Path) -> None:
    """As a teacher beside another, and as the student, from the command line."""
    home = tmp_path / "home"
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=10, in_chans=1)
    save_for_hf(model, str(commit(home, "garden/tiny")), safe_serialization=True)
    about = home / "hub" / "models--garden--tiny" / "snapshots" / COMMIT / "config.json"
    assert json.loads(about.read_text())["architecture"] == "resnet10t"
    extra = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    words = [*TINY, "out", "--dry-run", "--strategies", "ce", "mean_losses"]
    words += ["--student", "timm:hf-hub:garden/tiny", "--teacher"]
    done = run(*words, "digit_mlp+timm:hf-hub:garden/tiny", cwd=tmp_path, extra=extra)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"timm:hf-hub:garden/tiny@{COMMIT} (") == 2
    missed = run(*words, "digit_mlp+timm:hf-hub:garden/none", cwd=tmp_path, extra=extra)
    assert missed.returncode == 2
    assert missed.stderr.startswith("error: 'timm:hf-hub:garden/none' is not in the cache")
    assert missed.stderr.count("\n") == 1

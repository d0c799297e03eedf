"""Features by timm's interfaces: the same logits as a plain pass, and a map of any architecture."""

import pytest
import timm
import torch
from torch import Tensor, nn

from metakd.core.features import FeatureError, logits_and_map, map_shape
from metakd.models.create import create_model
from metakd.models.names import MODEL_NAMES

# A family each: its smallest model, the image side, and the map before the head.
FAMILIES = {
    "test_resnet": (160, (96, 5, 5)),
    "test_convnext": (160, (64, 5, 5)),
    "test_efficientnet": (160, (256, 5, 5)),
    "test_nfnet": (160, (192, 5, 5)),
    "test_maxvit": (160, (128, 5, 5)),
    "test_mambaout": (160, (64, 5, 5)),
    "test_vit": (160, (64, 10, 10)),
    "test_vit_relpos": (160, (96, 10, 10)),
    "swin_tiny_patch4_window7_224": (224, (768, 7, 7)),
    "coat_tiny": (224, (152, 7, 7)),
    "pit_ti_distilled_224": (224, (256, 7, 7)),
    "volo_d1_224": (224, (384, 14, 14)),
    "mobilenetv3_small_050": (64, (288, 2, 2)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_any_timm_model_gives_its_logits_and_a_map(name: str) -> None:
    side, shape = FAMILIES[name]
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=5).eval()
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        logits, found = logits_and_map(model, images)
        assert torch.equal(logits, model(images))
    assert found.shape[1:] == shape
    assert found.isfinite().all()
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_our_own_models_do_so_too(name: str) -> None:
    side = 8 if name.startswith("digit") else 32
    model = create_model(name, (1, side, side), 10, seed=0).eval()
    images = torch.randn(2, 1, side, side)
    with torch.no_grad():
        logits, found = logits_and_map(model, images)
        assert torch.equal(logits, model(images))
    assert map_shape(model, images) == found.shape[1:]


def test_tokens_are_laid_out_as_the_image_is() -> None:
    # A transformer without layers: each token is its patch's own embedding.
    model = timm.create_model("vit_tiny_patch16_224", img_size=(32, 64), patch_size=16, depth=0)
    image = torch.zeros(1, 3, 32, 64)
    model.pos_embed.data.zero_()
    image[:, :, 16:, 48:] = 1.0
    _, found = logits_and_map(model.eval(), image)
    assert found.shape == (1, 192, 2, 4)
    differs = (found - found[:, :, :1, :1]).abs().sum(dim=1)[0] > 1e-6
    assert differs.nonzero().tolist() == [[1, 3]]


def test_looking_at_the_shape_changes_nothing() -> None:
    model = create_model("digit_cnn_tiny", (1, 8, 8), 10, seed=0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert map_shape(model, torch.randn(4, 1, 8, 8)) == (28, 2, 2)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Lonely(nn.Module):
    """Gives logits and shows nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class Odd(Lonely):
    """Shows something that is no map."""

    def forward_features(self, x: Tensor) -> dict[str, Tensor]:
        return {"features": x}

    def forward_head(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize("model", [Lonely(), Odd()])
def test_a_model_without_features_is_refused_in_one_line(model: nn.Module) -> None:
    with pytest.raises(FeatureError, match=rf"^{type(model).__name__} shows no features.*$"):
        logits_and_map(model, torch.zeros(2, 1, 4, 4))

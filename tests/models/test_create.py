import pytest
import timm
import torch
from torch import nn

from metakd.models.create import create_model
from metakd.models.names import MODEL_NAMES, ModelError, default_student, default_teacher

DIGIT, CIFAR = (1, 8, 8), (3, 32, 32)


def shape_for(name: str) -> tuple[int, int, int]:
    return DIGIT if name.startswith("digit") else CIFAR


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_model_gives_logits_features_and_a_new_head(name: str) -> None:
    shape = shape_for(name)
    model = create_model(name, shape, 7, seed=0).double()
    images = torch.randn(2, *shape, dtype=torch.float64)
    logits = model(images)
    assert logits.shape == (2, 7)
    assert logits.dtype == torch.float64
    assert all(
        torch.isfinite(gradient).all()
        for gradient in torch.autograd.grad(logits.square().sum(), list(model.parameters()))
    )
    features = model.eval().forward_features(images)
    assert torch.equal(model.forward_head(features), model(images))
    assert model.forward_head(features, pre_logits=True).shape == (2, model.num_features)
    model.reset_classifier(3)
    assert model.get_classifier().out_features == model.num_classes == 3


@pytest.mark.parametrize("name", ["digit_mlp", "digit_cnn_tiny", "cifar_resnet8", "cifar_wrn_16_2"])
def test_weights_follow_the_seed_and_survive_a_round_trip(name: str) -> None:
    shape = shape_for(name)
    first, again, other = (create_model(name, shape, 10, seed).eval() for seed in (5, 5, 6))
    images = torch.randn(2, *shape)
    assert torch.equal(first(images), again(images))
    assert not torch.equal(first(images), other(images))
    other.load_state_dict(first.state_dict())
    assert torch.equal(first(images), other(images))


def test_creating_leaves_the_callers_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    create_model("digit_mlp", DIGIT, 10, seed=0)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Counts of the RepDistiller models at 100 classes; resnet20 and resnet56 are the 0.28 M
        # and 0.86 M of the papers, wrn_40_2 the 2.26 M, resnet8x4 the 1.23 M, vgg8 the 3.96 M,
        # MobileNetV2 the 0.81 M, ShuffleNet the 0.95 M and its V2 the 1.36 M.
        ("cifar_resnet20", 278_324),
        ("cifar_resnet56", 861_620),
        ("cifar_resnet110", 1_736_564),
        ("cifar_resnet8x4", 1_233_540),
        ("cifar_resnet32x4", 7_433_860),
        ("cifar_resnet32", 472_756),
        ("cifar_resnet50", 23_705_252),
        ("cifar_vgg8", 3_965_028),
        ("cifar_vgg13", 9_462_180),
        ("cifar_mobilenetv2", 812_836),
        ("cifar_shufflenetv1", 949_258),
        ("cifar_shufflenetv2", 1_355_528),
        ("cifar_wrn_16_2", 703_284),
        ("cifar_wrn_40_1", 569_780),
        ("cifar_wrn_40_2", 2_255_156),
    ],
)
def test_parameter_counts_are_those_of_the_literature(name: str, expected: int) -> None:
    assert parameters(create_model(name, CIFAR, 100, seed=0)) == expected


def test_sizes_of_the_small_models() -> None:
    assert 3_000 <= parameters(create_model("digit_cnn_tiny", DIGIT, 10, seed=0)) <= 6_000
    assert 100_000 <= parameters(create_model("digit_cnn", DIGIT, 10, seed=0)) <= 200_000


@pytest.mark.parametrize(("shape", "patch"), [((1, 8, 8), 2), ((3, 32, 32), 4)])
def test_a_timm_transformer_gets_the_image_size_and_a_small_patch(
    shape: tuple[int, int, int], patch: int
) -> None:
    model = create_model("timm:vit_tiny_patch16_224,depth=1,embed_dim=24", shape, 5, seed=0)
    assert model.patch_embed.patch_size == (patch, patch)
    assert model.patch_embed.grid_size == (shape[1] // patch, shape[2] // patch)
    assert model(torch.randn(2, *shape)).shape == (2, 5)


def test_the_named_patch_size_wins() -> None:
    name = "timm:vit_tiny_patch16_224,depth=1,embed_dim=24,patch_size=8"
    assert create_model(name, CIFAR, 5, seed=0).patch_embed.patch_size == (8, 8)


def test_a_transformer_whose_patch_is_fixed_is_built_as_it_is() -> None:
    model = create_model("timm:mixer_s32_224", CIFAR, 5, seed=0)
    assert model(torch.randn(1, *CIFAR)).shape == (1, 5)


def test_a_timm_convnet_takes_grey_images() -> None:
    model = create_model("timm:resnet10t", (1, 32, 32), 5, seed=0)
    assert model(torch.randn(2, 1, 32, 32)).shape == (2, 5)


def test_defaults_suit_the_image_size() -> None:
    assert (default_student(DIGIT), default_teacher(DIGIT)) == ("digit_cnn_tiny", "digit_cnn")
    assert (default_student(CIFAR), default_teacher(CIFAR)) == ("cifar_cnn_tiny", "cifar_cnn")
    large = (3, 224, 224)
    assert (default_student(large), default_teacher(large)) == ("timm:resnet18", "timm:resnet50")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("digit_cnn_tinny", "did you mean digit_cnn_tiny"),
        ("resnet18", "timm:resnet18"),
        ("timm:resnet1888", "timm:resnet18"),
        ("timm:vit_tiny_patch16_224,depth", "key=value"),
        ("timm:vit_tiny_patch16_224,colour=1", "unexpected keyword argument 'colour'"),
    ],
)
def test_mistakes_are_explained(name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=hint):
        create_model(name, CIFAR, 10, seed=0)


def test_own_models_are_known_to_timm() -> None:
    import metakd.models.timm_models  # noqa: F401 - registers them

    assert isinstance(timm.create_model("cifar_resnet8", num_classes=4), nn.Module)
    with pytest.raises(ValueError, match="no pretrained weights"):
        timm.create_model("cifar_resnet8", pretrained=True)

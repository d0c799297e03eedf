"""A student brought to its teachers' maps: shapes, distances, exact look-aheads through both."""

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.features import FeatureError, logits_and_map, map_shape
from metakd.core.lookahead import TakenStep, hypergradient
from metakd.core.matched_student import MatchedStudent, feature_distances, mean_squares
from metakd.models.create import create_model

IMAGES = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
TINY_VIT = "timm:vit_tiny_patch16_224,patch_size=4,embed_dim=24,depth=1,num_heads=2"


def model(name: str) -> nn.Module:
    return create_model(name, (3, 16, 16), 5, seed=0)


def matched(student: nn.Module, *teachers: nn.Module, **choice: bool) -> MatchedStudent:
    shapes = [map_shape(teacher, IMAGES) for teacher in teachers]
    return MatchedStudent(student, shapes, IMAGES, seed=1, **choice)


def test_outputs_come_apart_into_what_they_are() -> None:
    student = model("cifar_resnet8").eval()
    teachers = [model(TINY_VIT), model("cifar_cnn_small"), model("digit_mlp")]
    extended = matched(student, *teachers).eval()
    outputs = extended(IMAGES)
    parts = extended.split(outputs)
    logits, features = logits_and_map(student, IMAGES)
    assert torch.equal(parts.logits, logits)
    assert torch.equal(parts.logits, student(IMAGES))
    assert torch.equal(parts.features, features)
    # The student's map is 4×4; a 4×4 ViT, a 2×2 CNN and the one place of an MLP.
    assert [tuple(each.shape[1:]) for each in parts.adapted] == [
        (24, 4, 4),
        (128, 2, 2),
        (64, 1, 1),
    ]
    assert outputs.shape == (6, 5 + 64 * 16 + 24 * 16 + 128 * 4 + 64)
    pooled = F.adaptive_avg_pool2d(features, 2)
    assert torch.equal(parts.adapted[1], extended.regressors[1](pooled))


def test_a_transformer_may_be_the_student_of_a_convolutional_network() -> None:
    student, teacher = model(TINY_VIT), model("cifar_resnet8")
    extended = matched(student, teacher)
    assert extended.split(extended(IMAGES)).adapted[0].shape == (6, 64, 4, 4)


def test_regressors_have_a_seed_of_their_own() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, other = (matched(model("cifar_resnet8"), model("cifar_cnn")) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_a_rectified_regressor_reaches_no_negative_feature() -> None:
    student, teacher = model("cifar_resnet8"), model(TINY_VIT)
    for rectified in (True, False):
        extended = matched(student, teacher, rectified=rectified)
        lowest = extended.split(extended(IMAGES)).adapted[0].min()
        assert (lowest == 0) == rectified
        assert (lowest < 0) != rectified


def test_distances_are_means_of_squares_at_the_smaller_size() -> None:
    large, small = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 2, 2)
    found = feature_distances([small], [large])
    by_hand = [
        sum(
            float(
                (small[i, c, y, x] - large[i, c, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean()) ** 2
            )
            for c in range(2)
            for y in range(2)
            for x in range(2)
        )
        / 8
        for i in range(3)
    ]
    assert torch.allclose(found[:, 0], torch.tensor(by_hand))


def test_relative_distances_do_not_see_the_teachers_scale() -> None:
    student, teacher = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    found = feature_distances([student], [teacher], mean_squares([teacher]))
    larger = feature_distances([100 * student], [100 * teacher], mean_squares([100 * teacher]))
    assert torch.allclose(found, larger)
    nothing = torch.zeros_like(teacher)
    assert feature_distances([student], [nothing], mean_squares([nothing])).isfinite().all()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("student_name", ["cifar_resnet8", TINY_VIT])
def test_look_aheads_through_features_are_exact(student_name: str, steps: int) -> None:
    """dM/dφ of weights on features, by the JVP form, against double backward, in float64."""
    images = IMAGES.double()
    teachers = [model("cifar_cnn_small").eval(), model(TINY_VIT).eval()]
    targets = [logits_and_map(teacher, IMAGES)[1].detach().double() for teacher in teachers]
    phi = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    units = mean_squares(targets)
    labels = torch.arange(6) % 5

    def found(estimator: str) -> Tensor:
        extended = matched(model(student_name), *teachers).double()
        optimiser = torch.optim.SGD(
            extended.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
        )

        def loss(outputs: Tensor) -> Tensor:
            distances = feature_distances(extended.split(outputs).adapted, targets, units)
            return (phi.softmax(dim=0) * distances).sum(dim=1).mean()

        taken = []
        for _ in range(steps):
            step = TakenStep(extended, optimiser)
            optimiser.zero_grad()
            loss(extended(images)).backward()
            optimiser.step()
            taken.append(step.complete(images, loss))

        def meta_loss(forward: nn.Module) -> Tensor:
            return F.cross_entropy(extended.split(forward(images)).logits, labels)

        (gradient,) = hypergradient(taken, meta_loss, [phi], estimator).gradients  # type: ignore[arg-type]
        return gradient

    expected = found("double_backward")
    assert expected.abs().min() > 1e-12
    assert torch.allclose(found("jvp"), expected, rtol=1e-9, atol=0)


def test_without_a_map_to_match_it_is_refused() -> None:
    with pytest.raises(FeatureError, match="no teacher's feature map"):
        MatchedStudent(model("cifar_resnet8"), [], IMAGES, seed=0)
    with pytest.raises(FeatureError, match="order"):
        feature_distances([torch.zeros(2, 3, 1, 1)], [torch.zeros(2, 4, 1, 1)])
    flat = nn.Sequential(nn.Flatten(), nn.LazyLinear(5))
    with pytest.raises(FeatureError, match=r"Sequential shows no features.*features_weight 0"):
        MatchedStudent(flat, [(3, 1, 1)], IMAGES, seed=0)


def test_timm_students_train_as_they_do_alone() -> None:
    torch.manual_seed(0)
    student = timm.create_model("test_resnet", num_classes=5)
    images = torch.randn(2, 3, 64, 64)
    extended = MatchedStudent(student, [(7, 2, 2)], images, seed=0)
    F.cross_entropy(extended.split(extended(images)).logits, torch.tensor([0, 1])).backward()
    slopes = {name: p.grad for name, p in student.named_parameters()}
    student.zero_grad()
    F.cross_entropy(student(images), torch.tensor([0, 1])).backward()
    for name, parameter in student.named_parameters():
        assert torch.equal(parameter.grad, slopes[name]), name  # type: ignore[arg-type]

"""The weight networks against MMKD's formula, and what they read."""

import pytest
import torch
import torch.nn.functional as F
from one_thread import one_thread as one_thread
from torch import Tensor

from metakd.core.ensemble_loss import TeachersError
from metakd.core.features import logits_and_map
from metakd.core.teacher_weights import WeightNetwork, feature_input, logits_input
from metakd.core.teacher_weights.network import FeatureInput
from metakd.models.create import create_model

B, K, C = 6, 3, 5
SHAPES = ((4, 3, 3), (7, 2, 2), (5, 1, 1), (6, 3, 3))  # of K teachers and, last, the student


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


STUDENT, TEACHERS = 2 * normal(B, C, seed=0), 3 * normal(B, K, C, seed=1)
*TEACHER_MAPS, STUDENT_MAP = [normal(B, *shape, seed=2) for shape in SHAPES]


def reads() -> dict[str, Tensor]:
    kinds: tuple[FeatureInput, ...] = ("pooled", "gram", "gram_raw")
    return {
        "logits": logits_input(STUDENT, TEACHERS),
        **{kind: feature_input(kind, STUDENT_MAP, TEACHER_MAPS) for kind in kinds},
    }


@pytest.mark.parametrize("kind", reads())
def test_weights_and_their_gradients_are_those_of_the_published_formula(kind: str) -> None:
    read = reads()[kind]
    network = WeightNetwork(read.shape[1], K, "random", seed=3).double()
    weights = network(read)
    assert weights.shape == (B, K)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(B, dtype=torch.float64))

    # By hand, with what the network reads written out too.
    parameters = [p.detach().clone().requires_grad_() for p in network.parameters()]
    a, b, c, d = parameters
    if kind == "logits":
        x = torch.cat([TEACHERS[:, 0], TEACHERS[:, 1], TEACHERS[:, 2], STUDENT], dim=1)
    else:
        rows = []
        for features in (*TEACHER_MAPS, STUDENT_MAP):
            flat = features.reshape(B, -1)
            row = features.mean(dim=3).mean(dim=2) if kind == "pooled" else flat @ flat.T
            rows.append(row if kind == "gram_raw" else row / row.norm(dim=1, keepdim=True))
        x = torch.cat(rows, dim=1)
    assert a.shape == (x.shape[1] // 2, x.shape[1])
    scores = (x @ a.T + b).clamp_min(0) @ c.T + d
    expected = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    torch.testing.assert_close(weights, expected, rtol=1e-12, atol=0)
    along = normal(B, K, seed=4)
    found = torch.autograd.grad((weights * along).sum(), list(network.parameters()))
    by_hand = torch.autograd.grad((expected * along).sum(), parameters)
    torch.testing.assert_close(found, by_hand, rtol=1e-9, atol=1e-12)


def test_no_gradient_flows_back_into_what_is_read() -> None:
    student, features = STUDENT.clone().requires_grad_(), STUDENT_MAP.clone().requires_grad_()
    assert not logits_input(student, TEACHERS).requires_grad
    assert not feature_input("gram", features, TEACHER_MAPS).requires_grad


def test_at_the_equal_start_all_teachers_count_alike_exactly() -> None:
    network = WeightNetwork(C * (K + 1), K, "equal", seed=0).double()
    weights = network(logits_input(STUDENT, TEACHERS))
    assert (weights == 1 / K).all()
    # And it can leave it.
    gradients = torch.autograd.grad((weights * normal(B, K, seed=4)).sum(), network.last.weight)
    assert gradients[0].abs().max() > 1e-3


def test_the_seed_makes_the_network_and_nothing_of_the_callers_random_state() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (WeightNetwork(8, K, "random", seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.first.weight, again.first.weight)
    assert not torch.equal(first.first.weight, other.first.weight)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_raw_gram_matrix_of_real_maps_leaves_one_teacher_and_no_gradient(seed: int) -> None:
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    models = [
        create_model(name, (3, 32, 32), C, seed + number).train()
        for number, name in enumerate(["cifar_resnet32x4"] * K + ["cifar_resnet8x4"])
    ]
    with torch.no_grad():
        *teachers, student = [logits_and_map(model, images)[1] for model in models]

    def weights_and_gradient(kind: FeatureInput) -> tuple[Tensor, Tensor]:
        read = feature_input(kind, student, teachers)
        network = WeightNetwork(read.shape[1], K, "random", seed)
        weights = network(read)
        along = torch.arange(3.0)
        gradients = torch.autograd.grad((weights @ along).mean(), list(network.parameters()))
        return weights, torch.cat([gradient.flatten() for gradient in gradients])

    weights, gradient = weights_and_gradient("gram_raw")
    assert (weights.amax(dim=1) == 1).all()
    assert (gradient == 0).all()
    for soft in ("pooled", "gram"):
        weights, gradient = weights_and_gradient(soft)
        assert weights.min() > 0.2
        assert weights.max() < 0.5
        assert gradient.norm() > 0.01


def test_pooled_features_know_nothing_of_the_batch_and_gram_rows_do() -> None:
    def alone(kind: FeatureInput, rows: Tensor) -> Tensor:
        return feature_input(kind, STUDENT_MAP[rows], [maps[rows] for maps in TEACHER_MAPS])

    rows = torch.tensor([4, 1, 3])
    whole = {kind: alone(kind, torch.arange(B)) for kind in ("pooled", "gram")}
    torch.testing.assert_close(alone("pooled", rows), whole["pooled"][rows])
    order = torch.tensor([1, 0, 2, 3, 4, 5])
    assert not torch.allclose(alone("gram", order), whole["gram"][order])


def test_a_gram_network_refuses_another_batch_size_in_one_line() -> None:
    read = feature_input("gram", STUDENT_MAP, TEACHER_MAPS)
    network = WeightNetwork(read.shape[1], K, "equal", seed=0).double()
    part = feature_input("gram", STUDENT_MAP[:4], [maps[:4] for maps in TEACHER_MAPS])
    with pytest.raises(TeachersError, match=r"for 24 numbers a sample, got 16: .* samples must"):
        network(part)


def test_permuting_teachers_permutes_weights() -> None:
    network = WeightNetwork(C * (K + 1), K, "random", seed=3).double()
    order = torch.tensor([2, 0, 1])
    permuted = WeightNetwork(C * (K + 1), K, "random", seed=0).double()
    with torch.no_grad():
        blocks = network.first.weight.view(-1, K + 1, C)
        columns = torch.cat([blocks[:, order], blocks[:, K:]], dim=1).flatten(1)
        permuted.first.weight.copy_(columns)
        permuted.first.bias.copy_(network.first.bias)
        permuted.last.weight.copy_(network.last.weight[order])
        permuted.last.bias.copy_(network.last.bias[order])
    found = permuted(logits_input(STUDENT, TEACHERS[:, order]))
    expected = network(logits_input(STUDENT, TEACHERS))[:, order]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_under_autocast_a_network_stays_in_full_precision() -> None:
    network = WeightNetwork(C * (K + 1), K, "random", seed=3)
    read = logits_input(STUDENT, TEACHERS).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = network(read)
        gram = feature_input("gram", STUDENT_MAP.float(), [m.float() for m in TEACHER_MAPS])
    assert torch.equal(found, network(read))
    assert F.softmax(found, dim=1).dtype == gram.dtype == torch.float32

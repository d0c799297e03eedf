"""MetaDistil on text: the example runs, its quiz is its own, and its gradient is exact."""

import copy
import importlib.util
from dataclasses import replace
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from examples.learning_to_teach_text import (
    FILLERS,
    WAYS,
    MakeModel,
    TextClassifier,
    bert,
    main,
    make_reviews,
    shared_out,
)
from torch import Tensor
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from metakd.core.batches import Batch
from metakd.core.distillers import MetaDistilConfig
from metakd.core.losses import distillation_loss
from metakd.core.recipe import Recipe
from metakd.core.training import Training

HAS_TRANSFORMERS = importlib.util.find_spec("transformers") is not None
needs_transformers = pytest.mark.skipif(
    not HAS_TRANSFORMERS, reason="transformers is not installed: pip install 'metakd[text]'"
)
MODELS = [
    pytest.param(TextClassifier, id="torch"),
    pytest.param(bert, id="hugging-face", marks=needs_transformers),
]
LR, EPS, BETAS = 3e-3, 1e-8, (0.9, 0.999)


@pytest.mark.parametrize("make_model", MODELS)
def test_the_teachers_gradient_through_an_adamw_pilot_is_that_of_a_graph_by_hand(
    make_model: MakeModel,
) -> None:
    """In float64, with dropout in the student, after a first step, which fills Adam's moments."""
    reviews, quiz = shared_out(8, 8)
    torch.manual_seed(0)
    taught_by, student = make_model(8, 1).double(), make_model(8, 1).double()
    moved, whole = copy.deepcopy(taught_by), copy.deepcopy(student).train()
    taught_by.eval()
    recipe = Recipe(2, 8, lr=LR, weight_decay=0.0, algorithm="adamw", betas=BETAS)
    lessons, quizzes = replace(reviews, batch_size=8, teacher=moved), replace(quiz, batch_size=8)
    distiller = MetaDistilConfig(teacher_lr=1.0, warmup=1.0).build()
    distiller.take_teacher(moved)
    training = Training(student, distiller, recipe, lessons, quizzes)
    for _ in range(2):
        torch.manual_seed(4)
        training.run_epoch()

    def loss_of(logits: Tensor, batch: Batch) -> Tensor:
        z_t = taught_by(batch.inputs)
        return distillation_loss(logits, z_t, batch.labels, 4.0, 4.0, 0.9).total

    (first,), (second,) = list(lessons.epoch(0)), list(lessons.epoch(1))
    judged_by = quizzes.at(1)
    optimiser = recipe.optimiser(whole)
    torch.manual_seed(4)
    loss_of(whole(first.inputs), first).backward()
    optimiser.step()
    torch.manual_seed(4)
    theta, lr = dict(whole.named_parameters()), recipe.lr_at(1, 2)
    after = {}
    with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
        whole(judged_by.inputs)  # the quiz before the pilot draws dropout masks too
        loss = loss_of(functional_call(whole, theta, (second.inputs,)), second)
        slopes = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
        for (name, value), slope in zip(theta.items(), slopes, strict=True):
            seen = optimiser.state[value]
            mean = BETAS[0] * seen["exp_avg"] + (1 - BETAS[0]) * slope
            square = BETAS[1] * seen["exp_avg_sq"] + (1 - BETAS[1]) * slope.square()
            # The root has no slope at 0, where a word was never seen.
            root = (square / (1 - BETAS[1] ** 2)).clamp_min(1e-200).sqrt()
            after[name] = value - lr * mean / (1 - BETAS[0] ** 2) / (root + EPS)
        judged = F.cross_entropy(
            functional_call(whole, after, (judged_by.inputs,)), judged_by.labels
        )
        expected = torch.autograd.grad(judged, list(taught_by.parameters()))
    largest = max(float(slope.abs().max()) for slope in expected)
    assert largest > 1e-6
    for old, new, slope in zip(taught_by.parameters(), moved.parameters(), expected, strict=True):
        found = (old - new).detach() / (lr / LR)
        torch.testing.assert_close(found, slope, rtol=1e-6, atol=1e-8 * largest)


def test_no_two_parts_hold_the_same_review_fillers_aside() -> None:
    reviews, classes = make_reviews(3000)
    said = [" ".join(w for w in review.split() if w not in FILLERS) for review in reviews]
    assert len(set(said)) == len(reviews) == len(classes)
    parts = shared_out(50, 40, 30)
    kept = [{tuple(ids.tolist()) for ids in part.inputs["input_ids"]} for part in parts]
    assert [len(ids) for ids in kept] == [50, 40, 30]
    assert not any(one & other for one, other in combinations(kept, 2))


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    model = TextClassifier(8, 1).eval()
    (reviews,) = shared_out(4)

    def logits(ids: Tensor) -> Tensor:
        return model({"input_ids": ids, "attention_mask": reviews.inputs["attention_mask"]})

    ids = reviews.inputs["input_ids"]
    is_there = reviews.inputs["attention_mask"] > 0
    torch.testing.assert_close(logits(torch.where(is_there, ids, 7)), logits(ids))


@pytest.mark.parametrize("flags", [[], pytest.param(["--hugging-face"], marks=needs_transformers)])
def test_the_example_prints_a_row_for_every_way(
    flags: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("examples.learning_to_teach_text.FOR_TEACHER", 128)
    monkeypatch.setattr("examples.learning_to_teach_text.FOR_TEST", 100)
    assert main(["--epochs", "1", "--reviews", "64", "--seeds", "2", *flags]) == 0
    out = capsys.readouterr().out
    rows = {name: line for line in out.splitlines() for name in WAYS if line.startswith(name)}
    assert list(rows) == list(WAYS)
    assert all("±" in row for row in rows.values())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--epochs", "0"], "error: --epochs must be at least 1, got 0"),
        (["--reviews", "31"], "error: --reviews must be at least 32, one batch, got 31"),
        (["--seeds", "0"], "error: --seeds must be at least 1, got 0"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == reason + "\n"


@pytest.mark.skipif(HAS_TRANSFORMERS, reason="transformers is installed")
def test_without_transformers_it_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hugging-face"]) == 2
    assert capsys.readouterr().err.startswith("error: --hugging-face needs transformers")

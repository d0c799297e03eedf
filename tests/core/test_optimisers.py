"""Optimisers without PyTorch's compiler step as PyTorch's own, and do not import it."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from metakd.core.optimisers import EagerAdam, EagerAdamW, EagerSGD

CASES: list[tuple[type[Optimizer], type[Optimizer], dict[str, Any]]] = [
    (EagerSGD, SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}),
    (EagerAdam, Adam, {"lr": 0.01, "weight_decay": 1e-3}),
    (EagerAdamW, AdamW, {"lr": 0.01, "betas": (0.8, 0.95)}),
]


def trained(kind: type[Optimizer], options: dict[str, Any], steps: int) -> list[Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    optimiser = kind(model.parameters(), fused=True, **options)
    for step in range(steps):
        if step == steps // 2:
            # A state that is kept and taken up again.
            state = optimiser.state_dict()
            optimiser = kind(model.parameters(), fused=True, **options)
            optimiser.load_state_dict(state)
        optimiser.zero_grad()
        model(torch.randn(4, 5)).square().mean().backward()
        optimiser.step()
    return [parameter.detach() for parameter in model.parameters()]


@pytest.mark.parametrize(("eager", "original", "options"), CASES)
def test_steps_are_pytorch_s_own_to_the_bit(
    eager: type[Optimizer], original: type[Optimizer], options: dict[str, Any]
) -> None:
    found, expected = trained(eager, options, 6), trained(original, options, 6)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_training_with_a_recipe_does_not_import_the_compiler() -> None:
    code = """
import sys, torch
from metakd.core.recipe import Recipe
model = torch.nn.Linear(2, 2)
for algorithm in ("sgd", "adamw"):
    optimiser = Recipe(algorithm=algorithm).optimiser(model)
    optimiser.load_state_dict(optimiser.state_dict())
    optimiser.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimiser.step()
print("torch._dynamo" in sys.modules)
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "False"


SIZE_OF = "from metakd.models.outline import parameters_of; parameters_of({}, (3, 32, 32), 10)"


@pytest.mark.parametrize(
    "words",
    [
        "import metakd.study.execute",
        "import metakd.study.trainable",
        SIZE_OF.format("'cifar_resnet8'"),
    ],
)
def test_neither_a_plan_nor_an_actor_imports_the_compiler(words: str) -> None:
    code = f"import sys; {words}; print('torch._dynamo' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "False"

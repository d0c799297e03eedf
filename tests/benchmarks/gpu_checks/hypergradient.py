"""The hypergradient on the device, in float64, by one forward-mode pass and by double backward."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import SGD, AdamW, Optimizer

from gpu_checks.case import Found, Setup, largest_difference
from metakd.core.lookahead import TakenStep, hypergradient
from metakd.core.losses import distillation_loss
from metakd.models.create import create_model

TOLERANCE = 1e-9
BATCH, CLASSES = 16, 10
VIT = "timm:vit_tiny_patch16_224,patch_size=8,embed_dim=32,depth=2,num_heads=2"


def by_both(
    model: str, side: int, optimise: Callable[[nn.Module], Optimizer], setup: Setup
) -> Found:
    """Takes two steps, and differentiates by the temperatures of the second."""
    device, dtype = torch.device(setup.device), torch.float64
    random = torch.Generator().manual_seed(1)
    channels = 1 if side == 8 else 3
    student = create_model(model, (channels, side, side), CLASSES, seed=0).to(device, dtype).train()
    optimiser = optimise(student)
    log_tau = torch.tensor([4.0, 2.5], device=device, dtype=dtype).log().requires_grad_()

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=dtype).to(device)

    inputs, judging = drawn(BATCH, channels, side, side), drawn(BATCH, channels, side, side)
    teacher_logits = 3 * drawn(BATCH, CLASSES)
    labels = torch.randint(CLASSES, (BATCH,), generator=random).to(device)

    def loss(logits: Tensor) -> Tensor:
        taus = log_tau.exp().unbind()
        return distillation_loss(logits, teacher_logits, labels, *taus, 0.9, scale="free").total

    for _ in range(2):
        taken = TakenStep(student, optimiser)
        optimiser.zero_grad()
        loss(student(inputs)).backward()
        optimiser.step()
    taken.complete(inputs, loss)

    def meta_loss(forward: Callable[[Tensor], Tensor]) -> Tensor:
        return F.cross_entropy(forward(judging), labels)

    found = {}
    for estimator in ("jvp", "double_backward"):
        with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
            found[estimator] = hypergradient([taken], meta_loss, [log_tau], estimator).gradients[0]
    difference = largest_difference(found["jvp"], found["double_backward"])
    return Found(difference < TOLERANCE, {"difference": difference})


def sgd(student: nn.Module) -> Optimizer:
    return SGD(student.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)


def adamw(student: nn.Module) -> Optimizer:
    return AdamW(student.parameters(), lr=0.01, fused=True)


CASES = {
    "convolutions, fused SGD": partial(by_both, "digit_cnn_tiny", 8, sgd),
    "convolutions, fused AdamW": partial(by_both, "digit_cnn_tiny", 8, adamw),
    "attention, fused AdamW": partial(by_both, VIT, 32, adamw),
}

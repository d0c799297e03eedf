"""A student some steps into its training, the data of its next steps, and an independent oracle."""

from collections.abc import Callable

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import SGD, Adam, AdamW, Optimizer

from metakd.core.lookahead import Estimator, Hypergradient, TakenStep, hypergradient
from metakd.core.losses import distillation_loss
from metakd.core.temperatures import SeparateTemperatures

DOUBLE = torch.float64
SIZE, CLASSES, SAMPLES = 8, 5, 12


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(SIZE**2, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, CLASSES)
    )


def batchnorm_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def vit() -> nn.Module:
    model: nn.Module = timm.create_model(
        "vit_tiny_patch16_224",
        img_size=SIZE,
        patch_size=4,
        in_chans=1,
        num_classes=CLASSES,
        embed_dim=12,
        depth=2,
        num_heads=2,
        drop_path_rate=0.2,
    )
    return model


STUDENTS = {"mlp": mlp, "batchnorm_cnn": batchnorm_cnn, "vit": vit}
OPTIMISERS: dict[str, tuple[type[Optimizer], dict[str, object]]] = {
    "sgd": (SGD, {"lr": 0.07}),
    "momentum": (SGD, {"lr": 0.07, "momentum": 0.9, "weight_decay": 5e-3}),
    "nesterov": (SGD, {"lr": 0.07, "momentum": 0.9, "weight_decay": 5e-3, "nesterov": True}),
    "dampened": (SGD, {"lr": 0.07, "momentum": 0.8, "dampening": 0.3}),
    "maximising": (SGD, {"lr": 0.01, "momentum": 0.9, "maximize": True}),
    "adam": (Adam, {"lr": 0.01, "weight_decay": 5e-3}),
    "adamw": (AdamW, {"lr": 0.01, "weight_decay": 5e-2}),
    "amsgrad": (AdamW, {"lr": 0.01, "amsgrad": True, "maximize": True}),
}


class Bench:
    """Two steps into training; ``estimate`` takes the next ones and differentiates them.

    The oracle unrolls the very same steps through ``torch.optim`` with ``differentiable=True``,
    and shares no code with the estimators.
    """

    def __init__(
        self, make: Callable[[], nn.Module], optimiser: str = "sgd", dtype: torch.dtype = DOUBLE
    ) -> None:
        torch.manual_seed(3)
        self.dtype = dtype
        self.student = make().to(dtype).train()
        self.kind, self.settings = OPTIMISERS[optimiser]
        trained = [p for p in self.student.parameters() if p.requires_grad]
        self.optimiser = self.kind(trained, **self.settings)  # type: ignore[call-arg]
        self.temperatures = SeparateTemperatures(4.0, 2.5).to(dtype)
        self.phi = [self.temperatures.log_tau]
        self.inputs = torch.randn(9, SAMPLES, 1, SIZE, SIZE, dtype=dtype)
        self.labels = torch.randint(CLASSES, (9, SAMPLES))
        self.teacher_logits = 3 * torch.randn(9, SAMPLES, CLASSES, dtype=dtype)
        self.meta_inputs = torch.randn(SAMPLES, 1, SIZE, SIZE, dtype=dtype)
        self.meta_labels = torch.randint(CLASSES, (SAMPLES,))
        self.number = 0
        for _ in range(3):
            self.step()

    def loss_of(self, number: int, rows: slice = slice(None)) -> Callable[[Tensor], Tensor]:
        def loss(logits: Tensor) -> Tensor:
            teacher_logits, labels = self.teacher_logits[number][rows], self.labels[number][rows]
            pair = self.temperatures(logits, teacher_logits, labels)
            return distillation_loss(logits, teacher_logits, labels, *pair, alpha=0.9).total

        return loss

    def meta_loss(self, forward: Callable[[Tensor], Tensor]) -> Tensor:
        torch.manual_seed(11)  # the meta pass draws the same dropout masks in every estimate
        return F.cross_entropy(forward(self.meta_inputs), self.meta_labels)

    def step(self) -> TakenStep:
        torch.manual_seed(100 + self.number)
        taken = TakenStep(self.student, self.optimiser)
        inputs, loss = self.inputs[self.number], self.loss_of(self.number)
        self.optimiser.zero_grad()
        loss(self.student(inputs)).backward()
        self.optimiser.step()
        self.number += 1
        return taken.complete(inputs, loss)

    def estimate(self, *estimators: Estimator, steps: int = 1) -> list[Hypergradient]:
        taken = [self.step() for _ in range(steps)]
        return [hypergradient(taken, self.meta_loss, self.phi, e) for e in estimators]

    def unrolled(self, steps: int = 1) -> tuple[Tensor, ...]:
        """Returns dM/dφ of the next steps through PyTorch's own differentiable optimisers."""
        trained = {n: p for n, p in self.student.named_parameters() if p.requires_grad}
        theta = {n: p.detach().clone().requires_grad_() for n, p in trained.items()}
        clones = {n: value.clone() for n, value in theta.items()}  # steps act in place on these
        optimiser = self.kind(list(theta.values()), differentiable=True, **self.settings)  # type: ignore[call-arg]
        for leaf, parameter, clone in zip(
            theta.values(), trained.values(), clones.values(), strict=True
        ):
            state = self.optimiser.state[parameter]
            # Double, because Adam's step count is float32 and its bias corrections with it.
            optimiser.state[clone] = {
                k: v.detach().clone().double() for k, v in state.items() if v is not None
            }
            optimiser.state.pop(leaf, None)
        optimiser.param_groups[0]["params"] = list(clones.values())
        for number in range(self.number, self.number + steps):
            torch.manual_seed(100 + number)
            # The step changes parameters and state in place; the graph needs the values before.
            before = {n: value.clone() for n, value in clones.items()}
            for clone in clones.values():
                kept = {k: v.clone() for k, v in optimiser.state[clone].items()}
                optimiser.state[clone] = kept
            with sdpa_kernel(SDPBackend.MATH):
                logits = functional_call(self.student, before, (self.inputs[number],))
                slopes = torch.autograd.grad(
                    self.loss_of(number)(logits), list(before.values()), create_graph=True
                )
            for clone, slope in zip(clones.values(), slopes, strict=True):
                clone.grad = slope
            optimiser.step()
        with sdpa_kernel(SDPBackend.MATH):
            value = self.meta_loss(lambda x: functional_call(self.student, clones, (x,)))
        return torch.autograd.grad(value, self.phi)

"""Other ways to differentiate a look-ahead by temperatures: by hand, with higher, with TorchOpt.

Each pulls the meta loss through one step of SGD by reverse over reverse. They are rivals in time
and memory, and oracles: they share no derivative with ``metakd.core.lookahead``.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import SGD, Optimizer

from metakd.core.lookahead import TakenStep, hypergradient
from metakd.core.lookahead.passes import frozen_running_statistics
from metakd.core.losses import distillation_loss
from metakd.models.create import create_model

IMAGE_SHAPE = (3, 32, 32)
CLASSES = 10
ALPHA = 0.9
HOW_TO_INSTALL = "not installed: pip install -e '.[benchmarks]'"

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Task:
    """A student, its optimiser, the batch it trains on and the held-out one that judges it.

    Attributes:
        student: Maps images (B, 3, 32, 32) to logits (B, C).
        optimiser: Moves it.
        inputs: The training batch, (B, 3, 32, 32).
        teacher_logits: z_t of it, (B, C).
        labels: Its classes, (B,).
        meta_inputs: The held-out batch, (B, 3, 32, 32).
        meta_labels: Its classes, (B,).
        in_bf16: Whether forward passes run in bfloat16 autocast.
    """

    student: nn.Module
    optimiser: Optimizer
    inputs: Tensor
    teacher_logits: Tensor
    labels: Tensor
    meta_inputs: Tensor
    meta_labels: Tensor
    in_bf16: bool = False

    @staticmethod
    def of(
        student: nn.Module,
        optimiser: Optimizer,
        batch: int,
        in_bf16: bool = False,
        image_shape: tuple[int, int, int] = IMAGE_SHAPE,
    ) -> "Task":
        """Draws the data, the same for the same batch size."""
        like = next(student.parameters())
        generator = torch.Generator().manual_seed(0)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(like)

        def classes() -> Tensor:
            return torch.randint(CLASSES, (batch,), generator=generator).to(like.device)

        return Task(
            student.train(),
            optimiser,
            inputs=normal(batch, *image_shape),
            teacher_logits=3 * normal(batch, CLASSES),
            labels=classes(),
            meta_inputs=normal(batch, *image_shape),
            meta_labels=classes(),
            in_bf16=in_bf16,
        )

    def loss(self, logits: Tensor, log_tau: Tensor) -> Tensor:
        """Returns the loss of the training batch at temperatures exp(log_tau), (2,)."""
        tau_s, tau_t = log_tau.exp().unbind()
        return distillation_loss(
            logits, self.teacher_logits, self.labels, tau_s, tau_t, ALPHA, scale="free"
        ).total

    def meta_loss(self, forward: Forward) -> Tensor:
        """Returns the cross-entropy of the held-out batch."""
        with self.autocast():
            return F.cross_entropy(forward(self.meta_inputs), self.meta_labels)

    def step(self, loss: Forward) -> None:
        """Takes the student's ordinary step by a loss of its logits."""
        with self.autocast():
            value = loss(self.student(self.inputs))
        self.optimiser.zero_grad()
        value.backward()
        self.optimiser.step()

    def autocast(self) -> torch.autocast:
        """Returns the precision of a forward pass."""
        return torch.autocast(self.inputs.device.type, torch.bfloat16, enabled=self.in_bf16)


Differentiate = Callable[[Tensor], Tensor]
"""Maps log τ, (2,), to the gradient of the meta loss after the step by it; moves nothing."""


def by_hand(task: Task) -> Differentiate:
    """Unrolls θ − lr ∇L(θ), as most code that learns a hyperparameter writes it."""
    lr = task.optimiser.param_groups[0]["lr"]

    def gradient(log_tau: Tensor) -> Tensor:
        theta: dict[str, Tensor] = dict(task.student.named_parameters())
        # The look-ahead is not training: BatchNorm's running statistics belong to the real step.
        # Fused attention has no double backward.
        with frozen_running_statistics(task.student), sdpa_kernel(SDPBackend.MATH):
            with task.autocast():
                loss = task.loss(functional_call(task.student, theta, (task.inputs,)), log_tau)
            slopes = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
            moved = {
                name: value - lr * slope
                for (name, value), slope in zip(theta.items(), slopes, strict=True)
            }
            value = task.meta_loss(lambda x: functional_call(task.student, moved, (x,)))
            return torch.autograd.grad(value, log_tau)[0]

    return gradient


def by_higher(task: Task) -> Differentiate:
    """Unrolls a step of the task's SGD, momentum included, with ``higher``."""
    import higher  # type: ignore[import-untyped]

    # A base of (ABC, Module) leaves a student of (Module, ABC), like ours, without an MRO.
    base = higher.patch._MonkeyPatchBase
    members = {n: v for n, v in vars(base).items() if n not in ("__dict__", "__weakref__")}
    higher.patch._MonkeyPatchBase = type(base.__name__, (nn.Module,), members)

    def gradient(log_tau: Tensor) -> Tensor:
        # higher copies the buffers, so the real running statistics stay as they are.
        with (
            sdpa_kernel(SDPBackend.MATH),
            higher.innerloop_ctx(task.student, task.optimiser, copy_initial_weights=False) as inner,
        ):
            student, optimiser = inner
            with task.autocast():
                loss = task.loss(student(task.inputs), log_tau)
            optimiser.step(loss)
            return torch.autograd.grad(task.meta_loss(student), log_tau)[0]

    return gradient


def by_torchopt(task: Task) -> Differentiate:
    """Unrolls a step of SGD like the task's with TorchOpt."""
    import torchopt

    settings = task.optimiser.param_groups[0]
    names = ("lr", "momentum", "nesterov")
    optimiser = torchopt.MetaSGD(task.student, **{name: settings[name] for name in names})

    def gradient(log_tau: Tensor) -> Tensor:
        before = torchopt.extract_state_dict(task.student, by="reference")
        # References to buffers do not bring back what BatchNorm changes in place.
        with frozen_running_statistics(task.student), sdpa_kernel(SDPBackend.MATH):
            with task.autocast():
                loss = task.loss(task.student(task.inputs), log_tau)
            optimiser.step(loss)
            value = task.meta_loss(task.student)
            (found,) = torch.autograd.grad(value, log_tau)
        torchopt.recover_state_dict(task.student, before)
        # Its momentum lives on, as that of the real optimiser does.
        torchopt.stop_gradient(optimiser)
        return found

    return gradient


@dataclass(frozen=True)
class Rival:
    """A way to differentiate a look-ahead.

    Attributes:
        differentiate: Prepares it for a task.
        library: What it needs besides PyTorch.
        needs_sgd: Whether it can unroll no other optimiser than SGD the way PyTorch steps.
    """

    differentiate: Callable[[Task], Differentiate]
    library: str | None = None
    needs_sgd: bool = False

    def why_missing(self) -> str | None:
        """Returns in one line why it cannot run here; None where it can."""
        try:
            if self.library is not None:
                importlib.import_module(self.library)
        except ModuleNotFoundError:
            return HOW_TO_INSTALL
        except (ImportError, OSError) as error:
            return f"cannot be imported: {str(error).splitlines()[0]}"
        return None

    def disagreement(self) -> float:
        """Returns ‖its gradient − ours‖ / ‖ours‖ for a BatchNorm network, plain SGD and float64."""
        student = create_model("digit_cnn_tiny", IMAGE_SHAPE, CLASSES, seed=0).double()
        task = Task.of(student, SGD(student.parameters(), lr=0.1), batch=12)
        log_tau = torch.tensor([4.0, 2.5]).double().log().requires_grad_()
        theirs = self.differentiate(task)(log_tau)
        ours = by_jvp(task, log_tau)
        return float((theirs - ours).norm() / ours.norm())


def by_jvp(task: Task, log_tau: Tensor) -> Tensor:
    """Takes the task's step and returns our dM/d log τ, (2,)."""

    def loss(logits: Tensor) -> Tensor:
        return task.loss(logits, log_tau)

    taken = TakenStep(task.student, task.optimiser)
    task.step(loss)
    taken.complete(task.inputs, loss)
    return hypergradient([taken], task.meta_loss, [log_tau], "jvp").gradients[0]


RIVALS = {
    "double backward, unrolled by hand": Rival(by_hand),
    "higher": Rival(by_higher, library="higher", needs_sgd=True),
    "TorchOpt": Rival(by_torchopt, library="torchopt", needs_sgd=True),
}


def learning_step(task: Task, rival: Rival) -> Callable[[], None]:
    """Returns a step that moves log τ by a rival's gradient, then the student at the new τ."""
    log_tau = torch.full((2,), math.log(4.0), device=task.inputs.device, requires_grad=True)
    meta_optimiser = torch.optim.Adam([log_tau], lr=0.05, betas=(0.9, 0.99))
    gradient = rival.differentiate(task)

    def step() -> None:
        log_tau.grad = gradient(log_tau)
        meta_optimiser.step()
        task.step(lambda logits: task.loss(logits, log_tau.detach()))

    return step

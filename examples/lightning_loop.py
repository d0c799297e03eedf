"""Learned temperatures in a LightningModule: three lines beside plain distillation.

Run it as ``python examples/lightning_loop.py`` (``pip install metakd lightning``): it distils on
made-up images for a few seconds, and prints where the temperatures went.
"""

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from metakd.core import MetaTemperature

CLASSES, SAMPLES, BATCH = 10, 1024, 32
JUDGED_BY = 16
"""Samples of the next batch that judge a step; the more, the less noise, and the dearer."""


class Distillation(L.LightningModule):
    """A student that learns from labels and from a teacher, at temperatures that are learned."""

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        self.student = student
        self.teacher = teacher.requires_grad_(False).eval()
        self.temperatures = MetaTemperature(init=4.0)

    def configure_optimizers(self) -> Optimizer:
        """Returns the optimiser of the student; the temperatures have their own."""
        return torch.optim.AdamW(self.student.parameters(), 1e-3)

    def on_train_start(self) -> None:
        """Lightning has made the optimiser, and moved everything to its device."""
        optimiser = self.optimizers()
        assert isinstance(optimiser, Optimizer)
        self.temperatures.watch(self.student, optimiser)

    def on_train_batch_start(self, batch: list[Tensor], batch_idx: int) -> None:
        """Judges the step before by samples of this batch, every so many steps."""
        images, labels = batch
        if self.temperatures.is_due:
            self.temperatures.meta_step(images[:JUDGED_BY], labels[:JUDGED_BY])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Returns the loss of a batch."""
        images, labels = batch
        self.teacher.eval()  # Lightning puts all modules into training mode
        with torch.no_grad():
            teacher_logits = self.teacher(images)
        loss: Tensor = self.temperatures.loss(self.student(images), teacher_logits, labels)
        tau_s, tau_t = self.temperatures.temperatures
        self.log_dict({"tau_s": tau_s, "tau_t": tau_t, "loss": loss}, prog_bar=True)
        return loss


def network(width: int) -> nn.Module:
    """Returns a small classifier of 8×8 images."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, CLASSES),
    )


def main() -> None:
    """Distils, and prints the temperatures."""
    L.seed_everything(0)
    images, labels = torch.randn(SAMPLES, 1, 8, 8), torch.randint(CLASSES, (SAMPLES,))
    loader = DataLoader(TensorDataset(images, labels), BATCH, shuffle=True)
    module = Distillation(network(8), network(32))
    trainer = L.Trainer(
        max_epochs=4,
        accelerator="auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader)
    tau_s, tau_t = module.temperatures.temperatures
    print(f"τ_s {tau_s:.2f}, τ_t {tau_t:.2f} after {module.temperatures.meta_steps} look-aheads")


if __name__ == "__main__":
    main()

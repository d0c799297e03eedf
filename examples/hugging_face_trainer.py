"""Learned temperatures in the Trainer of Hugging Face's transformers.

Run it as ``python examples/hugging_face_trainer.py`` (``pip install metakd transformers
accelerate``): a small BERT learns from a larger one on made-up token ids for a few seconds. Both
are built from configurations; ``from_pretrained`` takes their place.
"""

from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
    set_seed,
)

from metakd.core import MetaTemperature

CLASSES, SAMPLES, LENGTH, WORDS = 3, 512, 12, 100
JUDGED_BY = 16
"""Samples of the next batch that judge a step."""


class OneArgument(nn.Module):
    """A model of transformers that takes its inputs by name, as one mapping."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Returns logits (B, C)."""
        logits: Tensor = self.model(**inputs).logits
        return logits


class DistillingTrainer(Trainer):  # type: ignore[misc]  # transformers has no types here
    """A Trainer whose student learns from labels and from a teacher, at learned temperatures."""

    def __init__(self, *given: Any, teacher: nn.Module, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*given, **named)
        self.teacher = teacher.requires_grad_(False).eval().to(self.args.device)
        self.temperatures = MetaTemperature(init=4.0)

    def create_optimizer(self, model: nn.Module | None = None) -> Optimizer:
        """Returns the student's optimiser, whose steps are looked back at."""
        optimiser: Optimizer = super().create_optimizer()
        self.temperatures.watch(self.model, optimiser)
        return optimiser

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss of a batch, and before it judges the step before, when that is due."""
        labels = inputs["labels"]
        words = {name: part for name, part in inputs.items() if name != "labels"}
        if model.training and self.temperatures.is_due:
            some = {name: part[:JUDGED_BY] for name, part in words.items()}
            self.temperatures.meta_step(some, labels[:JUDGED_BY])
        with torch.no_grad():
            teacher_logits = self.teacher(words)
        logits = model(words)
        loss = self.temperatures.loss(logits, teacher_logits, labels)
        return (loss, {"logits": logits}) if return_outputs else loss


class MadeUpTexts(Dataset[dict[str, Tensor]]):
    """Token ids whose class is how often a word occurs."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        self.words = torch.randint(WORDS, (SAMPLES, LENGTH), generator=draw)
        self.labels = (self.words < WORDS // LENGTH).sum(1).clamp(max=CLASSES - 1)

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        words = self.words[index]
        return {
            "input_ids": words,
            "attention_mask": torch.ones_like(words),
            "labels": self.labels[index],
        }


def bert(width: int, layers: int) -> nn.Module:
    """Returns a BERT with new weights that takes one argument."""
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        num_labels=CLASSES,
    )
    return OneArgument(BertForSequenceClassification(config))


def main() -> None:
    """Distils, and prints the temperatures."""
    set_seed(0)
    with TemporaryDirectory() as folder:
        trainer = DistillingTrainer(
            bert(16, 1),
            TrainingArguments(
                folder,
                num_train_epochs=3,
                per_device_train_batch_size=16,
                learning_rate=1e-3,
                save_strategy="no",
                report_to=[],
                dataloader_pin_memory=torch.cuda.is_available(),
                disable_tqdm=True,
                remove_unused_columns=False,
            ),
            train_dataset=MadeUpTexts(),
            teacher=bert(32, 2),
        )
        trainer.train()
    tau_s, tau_t = trainer.temperatures.temperatures
    print(f"τ_s {tau_s:.2f}, τ_t {tau_t:.2f} after {trainer.temperatures.meta_steps} look-aheads")


if __name__ == "__main__":
    main()

"""A teacher that learns to teach, on text: MetaDistil was made for BERT, and asks for no images.

A small transformer is distilled into a smaller one on reviews made on the spot. Batches hold token
ids and a mask by name, and the models take them as their one argument. A Hugging Face model needs
three lines around it::

    class Logits(torch.nn.Module):
        def __init__(self, name, classes):
            super().__init__()
            kind = AutoModelForSequenceClassification
            self.model = kind.from_pretrained(name, num_labels=classes)

        def forward(self, inputs):  # what the tokenizer returned: input_ids, attention_mask, ...
            return self.model(**inputs).logits

Run it as ``python examples/learning_to_teach_text.py``; it takes about a minute on one CPU core.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import CrossEntropyConfig, KDConfig, MetaDistilConfig
from metakd.core.evaluation import evaluate
from metakd.core.recipe import Recipe
from metakd.core.training import EpochRecord, Training

GOOD = ("lovely", "bright", "warm", "clever", "moving", "fresh", "honest", "gripping", "funny")
BAD = ("dull", "loud", "cold", "clumsy", "hollow", "stale", "false", "tired", "boring")
THINGS = ("plot", "acting", "music", "camera", "ending", "story", "dialogue", "cast", "pace")
FILLERS = ("the", "a", "was", "really", "quite", "very", "and", "also", "somehow", "mostly")
NOT = "not"
VOCABULARY = ["", NOT, *GOOD, *BAD, *THINGS, *FILLERS]
WORD_IDS = {word: number for number, word in enumerate(VOCABULARY)}
LENGTH = 16
CLASSES = ("bad", "mixed", "good")


def make_reviews(count: int, seed: int) -> tuple[list[str], Tensor]:
    """Returns made-up reviews and their classes, (count,).

    A review praises or blames two to four things; "not" before a word turns it around. It is mixed
    where it does as much of one as of the other.
    """
    generator = torch.Generator().manual_seed(seed)

    def pick(words: tuple[str, ...]) -> str:
        return words[int(torch.randint(len(words), (), generator=generator))]

    def happens(probability: float) -> bool:
        return float(torch.rand((), generator=generator)) < probability

    reviews, classes = [], []
    for _ in range(count):
        words, balance = [], 0
        for _ in range(2 + int(torch.randint(3, (), generator=generator))):
            praises, turned = happens(0.5), happens(0.3)
            words += [pick(THINGS)] + ([pick(FILLERS)] if happens(0.5) else [])
            words += ([NOT] if turned else []) + [pick(GOOD if praises else BAD)]
            balance += 1 if praises != turned else -1
        reviews.append(" ".join(words))
        classes.append(1 + (balance > 0) - (balance < 0))
    return reviews, torch.tensor(classes)


def tokenise(reviews: list[str]) -> dict[str, Tensor]:
    """Returns ``input_ids`` and ``attention_mask``, each (count, LENGTH), as tokenizers do."""
    ids = torch.zeros(len(reviews), LENGTH, dtype=torch.int64)
    for row, review in enumerate(reviews):
        known = [WORD_IDS[word] for word in review.split()][:LENGTH]
        ids[row, : len(known)] = torch.tensor(known)
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


class TextClassifier(nn.Module):
    """A transformer encoder over words, averaged over those that are there.

    Args:
        width: Of its embeddings.
        layers: How many.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.words = nn.Embedding(len(VOCABULARY), width)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=2 * width, dropout=0.1, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, len(CLASSES))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Maps ``input_ids`` and ``attention_mask``, each (B, LENGTH), to logits (B, 3)."""
        is_there = inputs["attention_mask"] > 0
        encoded = self.encoder(
            self.words(inputs["input_ids"]) + self.places, src_key_padding_mask=~is_there
        )
        weights = is_there[:, :, None].to(encoded.dtype)
        logits: Tensor = self.head((encoded * weights).sum(dim=1) / weights.sum(dim=1))
        return logits


@dataclass
class TextBatches:
    """Batches of reviews in a seeded order; the teacher's answers are those of the present.

    Attributes:
        inputs: ``input_ids`` and ``attention_mask``.
        classes: (count,).
        batch_size: B.
        teacher: Asked about every batch; None where nobody is.
    """

    inputs: dict[str, Tensor]
    classes: Tensor
    batch_size: int
    teacher: nn.Module | None = None

    @property
    def steps_per_epoch(self) -> int:
        """How many full batches an epoch has."""
        return len(self.classes) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields an epoch's batches."""
        order = torch.randperm(len(self.classes), generator=torch.Generator().manual_seed(epoch))
        for step in range(self.steps_per_epoch):
            yield self._batch(order[step * self.batch_size : (step + 1) * self.batch_size])

    def at(self, step: int) -> Batch:
        """Returns the quiz of a step."""
        generator = torch.Generator().manual_seed(step)
        return self._batch(
            torch.randperm(len(self.classes), generator=generator)[: self.batch_size]
        )

    def all(self) -> list[tuple[dict[str, Tensor], Tensor]]:
        """Returns everything at once, for evaluation."""
        return [(self.inputs, self.classes)]

    @torch.no_grad()
    def _batch(self, rows: Tensor) -> Batch:
        inputs = {name: tensor[rows] for name, tensor in self.inputs.items()}
        logits = None if self.teacher is None else self.teacher.eval()(inputs)
        return Batch(inputs, self.classes[rows], logits)


def reviews_of(count: int, seed: int, batch_size: int = 32) -> TextBatches:
    """Returns made-up reviews as batches."""
    reviews, classes = make_reviews(count, seed)
    return TextBatches(tokenise(reviews), classes, batch_size)


def train_teacher(training: TextBatches, epochs: int) -> nn.Module:
    """Trains the larger transformer by cross-entropy."""
    torch.manual_seed(0)
    teacher = TextClassifier(width=48, layers=2)
    recipe = Recipe(epochs, training.batch_size, lr=2e-3, weight_decay=0.01, algorithm="adamw")
    session = Training(teacher, CrossEntropyConfig().build(), recipe, training)
    while not session.is_done:
        session.run_epoch()
    return teacher


def distil(
    config: KDConfig | MetaDistilConfig,
    teacher: nn.Module,
    training: TextBatches,
    quiz: TextBatches,
    epochs: int,
) -> tuple[nn.Module, list[EpochRecord]]:
    """Trains the smaller transformer, and returns it with its curve.

    A teacher that learns to teach is changed in place.
    """
    torch.manual_seed(1)
    student = TextClassifier(width=16, layers=1)
    distiller = config.build()
    if isinstance(config, MetaDistilConfig):
        distiller.take_teacher(teacher)  # type: ignore[union-attr]
    recipe = Recipe(epochs, training.batch_size, lr=2e-3, weight_decay=0.01, algorithm="adamw")
    batches = TextBatches(training.inputs, training.classes, training.batch_size, teacher)
    session = Training(student, distiller, recipe, batches, quiz)
    records = []
    while not session.is_done:
        records.append(session.run_epoch())
    return student, records


def main(argv: list[str] | None = None) -> int:
    """Distils with a fixed teacher, then with one that learns to teach, and prints both."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--epochs", type=int, default=12, help="of each training")
    options.add_argument("--reviews", type=int, default=600, help="that students train on")
    chosen = options.parse_args(argv)
    if chosen.epochs < 1 or chosen.reviews < 32:
        print("error: --epochs must be at least 1, and --reviews at least 32", file=sys.stderr)
        return 2
    torch.set_num_threads(1)  # more only get in each other's way with models this small
    training, quiz = reviews_of(chosen.reviews, seed=1), reviews_of(200, seed=2)
    test = reviews_of(2000, seed=3)
    ways: dict[str, KDConfig | MetaDistilConfig] = {
        "fixed teacher": KDConfig(),
        "learning teacher": MetaDistilConfig(
            teacher_algorithm="adamw", teacher_lr=3e-5, largest_norm=1.0
        ),
    }
    print(f"{'':18s} student   teacher   quiz loss before and after the last epoch's pilots")
    for name, config in ways.items():
        teacher = train_teacher(reviews_of(2000, seed=0), 2 * chosen.epochs)
        student, records = distil(config, teacher, training, quiz, chosen.epochs)
        found, taught = evaluate(student, test.all()), evaluate(teacher, test.all())
        before, after = records[-1].meta_loss_before, records[-1].meta_loss
        losses = "" if before is None or after is None else f"   {before:.4f}, {after:.4f}"
        print(f"{name:18s} {found.accuracy:7.2%}   {taught.accuracy:7.2%}{losses}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A teacher that learns to teach, on text: MetaDistil was made for BERT, and needs no images.

A small transformer learns from labels alone, from a larger one that stays as it is, and from one
that learns to teach, on reviews made on the spot. Batches hold token ids and a mask by name, as
tokenizers return them, and a model takes them as its one argument: see ``Logits`` for one of
Hugging Face's.

Run it as ``python examples/learning_to_teach_text.py``; it takes about a minute on one CPU core.
``--hugging-face`` does the same with BERT (``pip install 'metakd[text]'``), built from its
configuration; see ``bert`` for one that was trained elsewhere.
"""

import argparse
import copy
import importlib.util
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import CrossEntropyConfig, KDConfig, MetaDistilConfig
from metakd.core.distillers.metadistil import MetaDistil
from metakd.core.evaluation import evaluate
from metakd.core.recipe import Recipe
from metakd.core.training import Training

GOOD = ("lovely", "bright", "warm", "clever", "moving", "fresh", "honest", "gripping", "funny")
BAD = ("dull", "loud", "cold", "clumsy", "hollow", "stale", "false", "tired", "boring")
THINGS = ("plot", "acting", "music", "camera", "ending", "story", "dialogue", "cast", "pace")
FILLERS = ("was", "really", "quite", "very", "somehow", "mostly")
NOT = "not"
VOCABULARY = ["", NOT, *GOOD, *BAD, *THINGS, *FILLERS]
WORD_IDS = {word: number for number, word in enumerate(VOCABULARY)}
LENGTH = 16
CLASSES = ("bad", "mixed", "good")
FOR_TEACHER, FOR_QUIZ, FOR_TEST = 4000, 256, 2000

MakeModel = Callable[[int, int], nn.Module]
"""Makes a classifier of so wide a width, with so many layers."""
Way = CrossEntropyConfig | KDConfig | MetaDistilConfig
WAYS: dict[str, Way] = {
    "labels alone": CrossEntropyConfig(),
    "fixed teacher": KDConfig(),
    "learning teacher": MetaDistilConfig(interval=2),
}


def make_reviews(count: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Returns made-up reviews and the class of each.

    A review praises or blames two to four things; "not" before a word turns it around. It is mixed
    where it does as much of one as of the other. No two reviews say the same, fillers aside, so
    that parts of the list hold nothing of each other.
    """
    draw = random.Random(seed)
    made: dict[str, tuple[str, int]] = {}
    while len(made) < count:
        review, said, balance = [], [], 0
        for _ in range(draw.randint(2, 4)):
            praises, turned = draw.random() < 0.5, draw.random() < 0.3
            judgement = [NOT] * turned + [draw.choice(GOOD if praises else BAD)]
            thing = draw.choice(THINGS)
            said += [thing, *judgement]
            review += [thing, *draw.sample(FILLERS, draw.randint(0, 1)), *judgement]
            balance += 1 if praises != turned else -1
        made.setdefault(" ".join(said), (" ".join(review), 1 + (balance > 0) - (balance < 0)))
    reviews, classes = zip(*made.values(), strict=True)
    return list(reviews), list(classes)


def tokenise(reviews: Sequence[str]) -> dict[str, Tensor]:
    """Returns ``input_ids`` and ``attention_mask``, each (count, LENGTH), as tokenizers do."""
    ids = torch.zeros(len(reviews), LENGTH, dtype=torch.int64)
    for row, review in enumerate(reviews):
        words = [WORD_IDS[word] for word in review.split()]
        ids[row, : len(words)] = torch.tensor(words)
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}


class TextClassifier(nn.Module):
    """A transformer encoder over words, averaged over those that are there.

    Args:
        width: Of its embeddings.
        layers: How many.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.words = nn.Parameter(0.1 * torch.randn(len(VOCABULARY), width))
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=2 * width, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, len(CLASSES))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Maps ``input_ids`` and ``attention_mask``, each (B, LENGTH), to logits (B, 3)."""
        is_there = inputs["attention_mask"] > 0
        embedded = self.words[inputs["input_ids"]] + self.places
        encoded = self.encoder(embedded, src_key_padding_mask=~is_there)
        weights = is_there[:, :, None].to(encoded.dtype)
        logits: Tensor = self.head((encoded * weights).sum(dim=1) / weights.sum(dim=1))
        return logits


class Logits(nn.Module):
    """All that a Hugging Face classifier needs: its inputs as one mapping, its logits alone.

    Args:
        model: For example ``AutoModelForSequenceClassification.from_pretrained(NAME)``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Maps what the tokenizer returned to logits (B, C)."""
        logits: Tensor = self.model(**inputs).logits
        return logits


def bert(width: int, layers: int) -> nn.Module:
    """Returns an untrained BERT.

    One that has read a lot is ``BertForSequenceClassification.from_pretrained(NAME, num_labels=3)``
    in the place of the configuration, with its own tokenizer in that of ``tokenise``.

    Raises:
        ModuleNotFoundError: If transformers is not installed.
    """
    from transformers import BertConfig, BertForSequenceClassification

    return Logits(
        BertForSequenceClassification(
            BertConfig(
                vocab_size=len(VOCABULARY),
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=4,
                intermediate_size=2 * width,
                max_position_embeddings=LENGTH,
                initializer_range=0.1,
                num_labels=len(CLASSES),
            )
        )
    )


@dataclass(frozen=True)
class TextBatches:
    """Batches of reviews in a seeded order.

    Attributes:
        inputs: ``input_ids`` and ``attention_mask``.
        classes: (count,).
        batch_size: B.
        teacher: Run on every batch, as it stands by then; None where nobody is.
    """

    inputs: dict[str, Tensor]
    classes: Tensor
    batch_size: int = 32
    teacher: nn.Module | None = None

    @property
    def steps_per_epoch(self) -> int:
        """How many full batches an epoch has."""
        return len(self.classes) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields an epoch's batches."""
        order = torch.randperm(len(self.classes), generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(self.batch_size)[: self.steps_per_epoch]:
            yield self._batch(rows)

    def at(self, step: int) -> Batch:
        """Returns the quiz of a step."""
        generator = torch.Generator().manual_seed(step)
        order = torch.randperm(len(self.classes), generator=generator)
        return self._batch(order[: self.batch_size])

    @torch.no_grad()
    def _batch(self, rows: Tensor) -> Batch:
        inputs = {name: tensor[rows] for name, tensor in self.inputs.items()}
        logits = None if self.teacher is None else self.teacher.eval()(inputs)
        return Batch(inputs, self.classes[rows], logits)


def shared_out(*counts: int) -> list[TextBatches]:
    """Returns so many reviews for each, none of which two of them hold."""
    reviews, classes = make_reviews(sum(counts))
    parts = torch.arange(len(reviews)).split(list(counts))
    inputs, all_classes = tokenise(reviews), torch.tensor(classes)
    return [
        TextBatches({name: ids[rows] for name, ids in inputs.items()}, all_classes[rows])
        for rows in parts
    ]


def trained(
    model: nn.Module,
    way: Way,
    epochs: int,
    batches: TextBatches,
    quiz: TextBatches | None = None,
) -> nn.Module:
    """Returns the model, trained in place.

    A teacher that learns to teach is changed in place as well.
    """
    distiller = way.build()
    if isinstance(distiller, MetaDistil) and batches.teacher is not None:
        distiller.take_teacher(batches.teacher)
    recipe = Recipe(
        epochs, batches.batch_size, lr=3e-3, weight_decay=0.01, algorithm="adamw", warmup_epochs=0.5
    )
    session = Training(model, distiller, recipe, batches, quiz)
    while not session.is_done:
        session.run_epoch()
    return model


def in_words(values: Sequence[float], form: str = "") -> str:
    """Returns the mean in %, and its standard error where there are two values or more."""
    percents = 100 * torch.tensor(values, dtype=torch.float64)
    mean = f"{float(percents.mean()):{form}.1f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {float(percents.std()) / len(values) ** 0.5:.1f}"


def compare(make_model: MakeModel, epochs: int, reviews: int, seeds: int) -> None:
    """Trains a teacher, and students in every way; prints a row for each way as it is done."""
    counts = FOR_TEACHER, reviews, FOR_QUIZ, FOR_TEST
    for_teacher, training, quiz, test = shared_out(*counts)

    def accuracy(model: nn.Module) -> float:
        return evaluate(model, [(test.inputs, test.classes)]).accuracy

    torch.manual_seed(0)
    lectures = replace(for_teacher, batch_size=64)
    teacher = trained(make_model(32, 2), CrossEntropyConfig(), -(-epochs * 5 // 8), lectures)
    print(
        f"teacher: {accuracy(teacher):.1%} on {FOR_TEST} test reviews, after {FOR_TEACHER}; "
        f"students see {reviews} others\n\n"
        f"{'in %':18s} {'student':14s} {'over the row above':20s} teacher",
        flush=True,
    )
    above: list[float] = []
    for name, way in WAYS.items():
        of_students, of_teachers = [], []
        for seed in range(seeds):
            taught_by = copy.deepcopy(teacher)
            torch.manual_seed(1 + seed)
            lessons = replace(training, teacher=taught_by)
            student = trained(make_model(16, 1), way, epochs, lessons, quiz)
            of_students.append(accuracy(student))
            of_teachers.append(accuracy(taught_by))
        gains = [one - other for one, other in zip(of_students, above, strict=False)]
        print(
            f"{name:18s} {in_words(of_students):14s} {in_words(gains, '+') if gains else '':20s} "
            f"{in_words(of_teachers) if way.uses_teacher else ''}".rstrip(),
            flush=True,
        )
        above = of_students


def main(argv: list[str] | None = None) -> int:
    """Runs the comparison that the words ask for; returns the exit code."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--epochs", type=int, default=24, help="of each student")
    options.add_argument("--reviews", type=int, default=600, help="that students train on")
    options.add_argument("--seeds", type=int, default=3, help="students for each row")
    options.add_argument("--hugging-face", action="store_true", help="BERT, from transformers")
    chosen = options.parse_args(argv)
    least = {
        "epochs": (1, ""),
        "reviews": (TextBatches.batch_size, ", one batch"),
        "seeds": (1, ""),
    }
    for name, (lowest, why) in least.items():
        if (given := getattr(chosen, name)) < lowest:
            print(f"error: --{name} must be at least {lowest}{why}, got {given}", file=sys.stderr)
            return 2
    if chosen.hugging_face and importlib.util.find_spec("transformers") is None:
        needed = "pip install 'metakd[text]'"
        print(f"error: --hugging-face needs transformers: {needed}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)  # more only get in each other's way with models this small
    make_model = bert if chosen.hugging_face else TextClassifier
    compare(make_model, chosen.epochs, chosen.reviews, chosen.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

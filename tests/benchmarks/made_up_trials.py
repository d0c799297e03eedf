"""Trials that nobody ran, with rows and curves of the size and shape of real ones."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np

SCALES = (0.05, 0.1, 0.25, 0.5, 1.0)
AUGMENTATIONS = ("none", "standard", "strong", "mixup+cutmix")
TEACHERS = ("cifar_resnet20", "cifar_resnet56", "cifar_resnet32x4")
TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)
FIXED_TAU = 4.0
STEPS_OF_AN_EPOCH = 50
TRAIN, VALIDATION, TEST = 45_000, 5_000, 10_000

Row = dict[str, Any]


@dataclass(frozen=True)
class MadeUp:
    """A trial that nobody ran."""

    scale: int
    augmentation: int
    teacher: int | None
    tau: float | None
    seed: int

    @property
    def id(self) -> str:
        """16 hexadecimal digits of its content's hash, as the product's own."""
        return sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def method(self) -> str:
        """As the store names it."""
        if self.teacher is None:
            return "ce"
        return "mkd" if self.tau is None else "kd"

    def random(self) -> np.random.Generator:
        """Returns draws that depend on the content alone."""
        return np.random.default_rng(int(self.id, 16))

    def accuracy(self) -> float:
        """Returns what it reaches: a hump over log τ whose top moves with the setting."""
        top = np.log2((2.0, 3.0, 4.0, 8.0, 8.0)[self.scale]) + 0.3 * self.augmentation
        height = 0.6 + 0.07 * self.scale + 0.01 * self.augmentation
        if self.teacher is None:
            return height - 0.03
        height += 0.005 * self.teacher
        return height if self.tau is None else height - 0.003 * (np.log2(self.tau) - top) ** 2

    def row(self, epochs: int) -> Row:
        """Returns its row."""
        val_acc, test_acc = self.accuracy() + self.random().normal(0, 0.004, 2)
        steps = epochs * STEPS_OF_AN_EPOCH
        cost = 1.1 if self.method == "mkd" else 1.0
        seconds = 0.02 * steps * cost
        now = datetime(2026, 1, 1, tzinfo=UTC)
        return {
            "trial_id": self.id,
            "pair_id": f"{self.scale}-{self.augmentation}-{self.teacher}-{self.seed}",
            "name": f"made-up-{self.method}-{self.id}",
            "status": "done",
            **setting(self.scale, self.augmentation, 0),
            "teacher": None if self.teacher is None else TEACHERS[self.teacher],
            "seed": self.seed,
            "method": self.method,
            **dict.fromkeys(("tau_s_init", "tau_t_init"), self.tau or FIXED_TAU),
            **dict.fromkeys(("tau_s_last", "tau_t_last"), self.tau or 5.0),
            "alpha": 0.9,
            **dict.fromkeys(("val_acc_last", "val_acc_selected"), val_acc),
            **dict.fromkeys(("test_acc_last", "test_acc_selected"), test_acc),
            "selected_epoch": epochs - 1,
            "train_samples": round(TRAIN * SCALES[self.scale]),
            "validation_samples": VALIDATION,
            "test_samples": TEST,
            "epochs": epochs,
            "steps": steps,
            "meta_steps": steps // 8 if self.method == "mkd" else 0,
            "step_equivalents": steps * cost,
            "student_compute_s": seconds,
            "wall_s": 1.05 * seconds,
            "started": now,
            "ended": now,
            "host": "made-up",
            "device": "made up",
            "precision": "float32",
            "workers": 1,
            "config_json": json.dumps(asdict(self)) + " " * 900,
            "versions_json": "{}",
            "git_commit": "made-up",
        }

    def curve(self, epochs: int) -> Iterator[Row]:
        """Yields its curve, a row an epoch."""
        random = self.random()
        done = np.arange(1, epochs + 1) / epochs
        rise = 1 - np.exp(-6 * done)
        noise = random.normal(0, 0.004, (4, epochs))
        columns: dict[str, np.ndarray] = {
            "step": STEPS_OF_AN_EPOCH * np.arange(1, epochs + 1),
            "epoch": np.arange(epochs),
            "train_loss": 2.3 - 2 * rise + noise[0],
            "ce_loss": 2.3 - 1.9 * rise + noise[1],
            "val_acc": np.round(VALIDATION * (self.accuracy() * rise + noise[2])) / VALIDATION,
            "val_loss": 2.3 - 1.6 * rise + noise[3],
            "lr": 0.05 * (1 + np.cos(np.pi * done)),
            "elapsed_s": np.cumsum(1 + random.random(epochs)),
        }
        if self.method == "mkd":
            columns["meta_loss"] = columns["val_loss"] + random.normal(0, 0.01, epochs)
            for side, end in (("s", 5.0), ("t", 3.0)):
                path = FIXED_TAU + (end - FIXED_TAU) * rise + random.normal(0, 0.02, epochs)
                columns[f"tau_{side}"] = path
                columns[f"meta_grad_tau_{side}"] = random.normal(0, 0.1, epochs)
        elif self.method == "kd":
            columns["kd_loss"] = 1.5 - rise + random.normal(0, 0.004, epochs)
            columns |= dict.fromkeys(("tau_s", "tau_t"), np.full(epochs, self.tau))
        values = [column.tolist() for column in columns.values()]
        names, trial_id = tuple(columns), self.id
        for row in zip(*values, strict=True):
            yield {"trial_id": trial_id, **dict(zip(names, row, strict=True))}


def setting(scale: int, augmentation: int, teacher: int) -> Any:
    """Returns a setting as ``study.json`` and the trials have it."""
    return {
        "dataset": "made up",
        "scale": SCALES[scale],
        "augmentation": AUGMENTATIONS[augmentation],
        "teacher": TEACHERS[teacher],
        "student": "cifar_resnet8x4",
    }

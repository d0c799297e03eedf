"""How good a study's teachers are: ``teachers.json``, written once they are trained."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from metakd.atomic import new_file
from metakd.results.study import StoreError

TEACHERS_FILE = "teachers.json"


@dataclass(frozen=True)
class TeacherScore:
    """One teacher of a study.

    Attributes:
        dataset: What it was trained on.
        model: Its name, as settings have it.
        parameters: How many numbers it learned.
        val_acc: Its validation accuracy, in [0, 1].
        test_acc: Its test accuracy, in [0, 1].
        seed: It was trained from: 0, or 1, 2, ... where an ensemble has its model again.
    """

    dataset: str
    model: str
    parameters: int
    val_acc: float
    test_acc: float
    seed: int = 0

    @property
    def name(self) -> str:
        """What a reader calls it: its model, and which of that name it is."""
        return numbered(self.model, self.seed)


def numbered(model: str, which: int) -> str:
    """Returns what a reader calls a teacher: 0 is the first of its model, 1 the second, ..."""
    return f"{model} ({which + 1})" if which else model


def write_teachers(out: Path, teachers: Sequence[TeacherScore]) -> None:
    """Writes the teachers of a study; an older file is replaced."""
    text = json.dumps([asdict(teacher) for teacher in teachers], indent=2, ensure_ascii=False)
    with new_file(out / TEACHERS_FILE) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def read_teachers(out: Path) -> tuple[TeacherScore, ...]:
    """Reads the teachers of a study, none while they are not trained.

    Raises:
        StoreError: If the file is damaged.
    """
    path = out / TEACHERS_FILE
    if not path.exists():
        return ()
    try:
        return tuple(TeacherScore(**values) for values in json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged: delete it and run the study again") from error

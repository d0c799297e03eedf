"""What is to be known of a trained student beside its weights: JSON, in a file beside theirs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from metakd.atomic import new_file
from metakd.errors import UserError

STUDENTS_FOLDER = "students"
WEIGHTS, CARD = ".safetensors", ".json"
FORMAT_VERSION = 1

KeepStudents = Literal["best", "selected", "all", "none"]


class StudentFileError(UserError):
    """A student that cannot be loaded."""


@dataclass(frozen=True)
class StudentCard:
    """What is to be known of a student beside its weights.

    Attributes:
        model: Its name, as ``metakd.models.create_model`` takes it.
        image_shape: Shape (C, H, W) of its images.
        classes: Names of the K classes, in the order of its logits.
        mean: What images in [0, 1] are centred by, C values.
        std: What they are divided by then, C values.
        kept: Which students its study kept.
        trial: Its trial's row in the store, by column of ``metakd.results.schema.TRIALS``; empty
            until the trial is committed.
        format_version: Of the two files.
    """

    model: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kept: KeepStudents
    trial: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


def preference(row: Mapping[str, Any]) -> tuple[bool, float, str]:
    """Returns what a trial's student is ranked by: the smallest is what validation prefers.

    Those that learned from the held-out samples themselves come last.

    Args:
        row: The trial's, by column of ``metakd.results.schema.TRIALS``.
    """
    return bool(row["validation_samples_learned"]), -row["val_acc_last"], row["trial_id"]


def write_card(weights: Path, card: StudentCard) -> Path:
    """Writes a card beside a student's weights, and returns its path; an older one is replaced."""
    place = weights.with_suffix(CARD)
    with new_file(place) as draft:
        text = json.dumps(asdict(card), indent=1, ensure_ascii=False, default=_as_text)
        draft.write_text(text + "\n", encoding="utf-8")
    return place


def read_card(weights: Path) -> StudentCard:
    """Reads the card beside a student's weights.

    Raises:
        StudentFileError: If it is missing, damaged or of a newer version.
    """
    place = weights.with_suffix(CARD)
    try:
        values = json.loads(place.read_text(encoding="utf-8"))
        version = values["format_version"]
        if version == FORMAT_VERSION:
            return StudentCard(**{f.name: _frozen(values[f.name]) for f in fields(StudentCard)})
    except FileNotFoundError as error:
        raise StudentFileError(
            f"there is no {place}, which says what model the weights are of: it lies beside them "
            "where the study wrote them"
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StudentFileError(f"{place} is damaged, or does not describe a student") from error
    raise StudentFileError(
        f"{place} has format version {version}, this code reads {FORMAT_VERSION}: use the version "
        "of metakd that wrote it"
    )


def _as_text(time: datetime) -> str:
    return time.isoformat()


def _frozen(value: Any) -> Any:  # noqa: ANN401 - JSON
    return tuple(value) if isinstance(value, list) else value

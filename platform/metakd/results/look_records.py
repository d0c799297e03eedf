"""The looks that a study has taken so far: ``looks.json``, written before the next trial begins."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from metakd.atomic import new_file
from metakd.results.study import StoreError

LOOKS_FILE = "looks.json"


@dataclass(frozen=True)
class LookRecord:
    """One declared look at the primary comparison, as it was taken.

    Attributes:
        number: From 1 on, in the order of the schedule.
        level: How often its interval covers.
        mean_pp: The comparison in points; None where no group of settings has two pairs.
        low_pp: Lower end of its interval; None likewise.
        high_pp: Upper end.
        word: "equivalent", "ahead", "behind" or "open".
        pairs: Pairs that went in.
        method: How the interval was made, in words.
        seed_counts: Seeds of each setting behind it, in the order of the settings.
        sd_pp: Standard deviation of the differences of each setting's group; None where unknown.
        next_seed_counts: Seeds of each setting at the next look; empty where none follows.
        trials: Trials that were finished.
        wall_s: How long the study had run.
        comparison: What is subtracted from what.
    """

    number: int
    level: float
    mean_pp: float | None
    low_pp: float | None
    high_pp: float | None
    word: str
    pairs: int
    method: str
    seed_counts: tuple[int, ...]
    sd_pp: tuple[float | None, ...]
    next_seed_counts: tuple[int, ...]
    trials: int
    wall_s: float
    comparison: str = ""


def write_looks(out: Path, looks: Sequence[LookRecord]) -> None:
    """Writes all looks that were taken; an older file is replaced."""
    with new_file(out / LOOKS_FILE) as draft:
        text = json.dumps([asdict(look) for look in looks], indent=1, ensure_ascii=False)
        draft.write_text(text + "\n", encoding="utf-8")


def read_looks(out: Path) -> tuple[LookRecord, ...]:
    """Reads the looks that were taken; none where there is no file.

    Raises:
        StoreError: If it is damaged.
    """
    path = out / LOOKS_FILE
    if not path.exists():
        return ()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            LookRecord(**{f.name: _frozen(look[f.name]) for f in fields(LookRecord)})
            for look in found
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{path} is damaged: without the looks that were taken no further one counts; put it "
            "back from a copy, or run the study again in another --out"
        ) from error


def _frozen(value: Any) -> Any:  # noqa: ANN401 - JSON
    return tuple(value) if isinstance(value, list) else value

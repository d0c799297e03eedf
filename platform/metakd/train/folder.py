"""Where a study keeps what it makes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyFolder:
    """The places below OUT; results themselves are the results layer's."""

    out: Path

    @property
    def datasets(self) -> Path:
        """Decoded datasets, by content."""
        return self.out / "datasets"

    @property
    def teachers(self) -> Path:
        """Trained teachers, one folder by id."""
        return self.out / "teachers"

    @property
    def banks(self) -> Path:
        """Augmented views and the teachers' logits on them, by content."""
        return self.out / "banks"

    @property
    def checkpoints(self) -> Path:
        """States of trials in flight, one folder by trial id."""
        return self.out / "checkpoints"

    @property
    def ray(self) -> Path:
        """What Ray keeps for itself while work is in flight."""
        return self.out / "ray"

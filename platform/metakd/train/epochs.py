"""How far a trial is: its curve, and the best of its epochs so far."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from torch import Tensor, nn

from metakd.core.distillers.distiller import TeacherWeights
from metakd.core.evaluation import Evaluation
from metakd.core.training import EpochRecord


@dataclass(frozen=True)
class Epoch:
    """One epoch of a trial: what the loop recorded, and validation at its end.

    Attributes:
        record: What the loop recorded.
        validation: Of the student.
        elapsed_s: Since the trial began.
        teacher_validation: Of a teacher that the method changes; None where it stays as it was.
    """

    record: EpochRecord
    validation: Evaluation
    elapsed_s: float
    teacher_validation: Evaluation | None = None


@dataclass
class Progress:
    """The results of a trial so far.

    Attributes:
        started: When it began, UTC.
        elapsed_s: Time spent on what is in it; what a stop threw away is not counted.
        epochs: Its curve.
        selected_epoch: The first epoch with the best validation accuracy.
        selected_state: The student's weights after it.
    """

    started: datetime
    elapsed_s: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    selected_epoch: int = -1
    selected_state: dict[str, Tensor] = field(default_factory=dict)

    def add(
        self,
        record: EpochRecord,
        validation: Evaluation,
        student: nn.Module,
        teacher_validation: Evaluation | None = None,
    ) -> None:
        """Adds an epoch that has just ended."""
        best = self.epochs[self.selected_epoch].validation.accuracy if self.epochs else -1.0
        if validation.accuracy > best:
            self.selected_epoch = record.epoch
            self.selected_state = {k: v.clone() for k, v in student.state_dict().items()}
        self.epochs.append(Epoch(record, validation, self.elapsed_s, teacher_validation))

    def as_state(self) -> dict[str, Any]:
        """Returns it as plain values and tensors."""
        return {
            "started": self.started.isoformat(),
            "elapsed_s": self.elapsed_s,
            "epochs": [
                (
                    asdict(epoch.record),
                    tuple(epoch.validation),
                    epoch.elapsed_s,
                    None if epoch.teacher_validation is None else tuple(epoch.teacher_validation),
                )
                for epoch in self.epochs
            ],
            "selected_epoch": self.selected_epoch,
            "selected_state": self.selected_state,
        }

    @staticmethod
    def restored(state: Mapping[str, Any]) -> "Progress":
        """Returns the progress of which ``as_state`` made the state."""
        return Progress(
            datetime.fromisoformat(state["started"]),
            state["elapsed_s"],
            [_epoch(*values) for values in state["epochs"]],
            state["selected_epoch"],
            dict(state["selected_state"]),
        )


def _epoch(
    record: Mapping[str, Any],
    validation: Sequence[float],
    elapsed_s: float,
    # States that were kept before any method changed its teacher lack it.
    teacher: Sequence[float] | None = None,
) -> Epoch:
    teacher_validation = None if teacher is None else Evaluation(*teacher)
    return Epoch(_record(record), Evaluation(*validation), elapsed_s, teacher_validation)


def _record(values: Mapping[str, Any]) -> EpochRecord:
    weights = tuple(TeacherWeights(**each) for each in values.get("teacher_weights", ()))
    return EpochRecord(**{**values, "teacher_weights": weights})

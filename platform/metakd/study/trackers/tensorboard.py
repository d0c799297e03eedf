"""TensorBoard: event files below ``OUT/tensorboard``, a folder for each setting."""

import shutil
from pathlib import Path

from tensorboardX import SummaryWriter

from metakd.study.trackers import BETWEEN, LoggedTrial, LoggedVerdict, markdown_table

FOLDER = "tensorboard"
VERDICT = "verdict"
LONGEST = 120


def place(out: Path) -> str:
    """Returns how a study's runs are seen."""
    return f"tensorboard --logdir {out / FOLDER}"


def open_tracker(out: Path, study: str) -> "TensorBoard":
    """Returns the tracker of a study's folder."""
    return TensorBoard(out / FOLDER)


class TensorBoard:
    """Writes event files.

    Args:
        folder: Where to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def log_trial(self, trial: LoggedTrial) -> None:
        """Writes a trial's curves at the times of its epochs; an older run of it is replaced."""
        with self._writer(_plain(trial.group), f"{_plain(trial.name)}-{trial.id}") as writer:
            for epoch, elapsed_s, numbers in trial.curve:
                for name, value in numbers.items():
                    writer.add_scalar(name, value, epoch, trial.started_at + elapsed_s)
            columns = {**trial.choices, **trial.results}
            writer.add_text("trial", markdown_table(("column", "value"), columns.items()))

    def log_verdict(self, verdict: LoggedVerdict) -> None:
        """Writes the verdict as text; an older one is replaced."""
        with self._writer(VERDICT) as writer:
            writer.add_text(VERDICT, verdict.markdown)

    def _writer(self, *names: str) -> SummaryWriter:
        place = self._folder.joinpath(*names)
        shutil.rmtree(place, ignore_errors=True)
        return SummaryWriter(str(place))


def _plain(name: str) -> str:
    """Returns a name that can be a folder's."""
    return name.replace(BETWEEN, "_").replace("/", "-")[:LONGEST]

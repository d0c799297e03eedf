"""Which trained students of a study stay: of each setting the best, or more of them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from metakd.analysis.students import Row, is_of
from metakd.results.study import Setting
from metakd.results.writer import FinishedTrial
from metakd.student_card import (
    CARD,
    WEIGHTS,
    KeepStudents,
    StudentFileError,
    preference,
    read_card,
    write_card,
)
from metakd.train.folder import StudyFolder


class KeptStudents:
    """The students of a running study, kept or removed as their trials are committed.

    Each trial leaves its student's weights; a card beside them says that they are kept.

    Args:
        keep: Which ones.
        folder: The study's folder.
        settings: Of the study.
    """

    def __init__(
        self, keep: KeepStudents, folder: StudyFolder, settings: Sequence[Setting]
    ) -> None:
        self._keep = keep
        self._folder = folder
        self._settings = settings
        self._best: dict[int, Row] = {}
        for trial_id in _kept(folder, "best"):
            self._take_places(read_card(_weights(folder, trial_id)).trial)

    def add(self, result: FinishedTrial) -> None:
        """Keeps or removes the student of a committed trial, and those that it is better than."""
        if result.student is None:
            return
        row = result.row.to_pylist()[0]
        before = self._best_ids()
        if self._keep == "best" and not self._take_places(row):
            remove_students(self._folder, [result.id])
            return
        card = write_card(_weights(self._folder, result.id), replace(result.student, trial=row))
        self._folder.push(card)
        remove_students(self._folder, before - self._best_ids() - {result.id})

    def _take_places(self, row: Row) -> bool:
        """Makes a trial the best of the settings where it is; says whether there are any."""
        here = [at for at, setting in enumerate(self._settings) if is_of(row, setting)]
        better = [
            at
            for at in here
            if at not in self._best or preference(row) < preference(self._best[at])
        ]
        self._best.update(dict.fromkeys(better, row))
        return bool(better)

    def _best_ids(self) -> set[str]:
        return {row["trial_id"] for row in self._best.values()}


def keep_selected(folder: StudyFolder, selected: Collection[str]) -> None:
    """Removes those that were kept as selected ones and are not."""
    remove_students(folder, _kept(folder, "selected").difference(selected))


def sweep_students(folder: StudyFolder) -> None:
    """Removes weights without a card: of trials that failed, or that a kill stopped."""
    names = folder.names(folder.students)
    with_card = {name.removesuffix(CARD) for name in names if name.endswith(CARD)}
    weights = {name.removesuffix(WEIGHTS) for name in names if name.endswith(WEIGHTS)}
    remove_students(folder, weights - with_card)


def remove_students(folder: StudyFolder, trial_ids: Collection[str]) -> None:
    """Removes students, the card first: weights without one are not kept."""
    for trial_id in sorted(trial_ids):
        weights = _weights(folder, trial_id)
        for place in (weights.with_suffix(CARD), weights):
            folder.remove(place)


def _kept(folder: StudyFolder, kept: KeepStudents) -> set[str]:
    """Returns the ids of the students that were kept so; damaged cards stay for their owner."""
    found = set()
    for card in folder.students.glob(f"*{CARD}"):
        try:
            found |= {card.stem} if read_card(card).kept == kept else set()
        except StudentFileError:
            continue
    return found


def _weights(folder: StudyFolder, trial_id: str) -> Path:
    return folder.students / f"{trial_id}{WEIGHTS}"

"""What is kept of a training that runs, so that its next run goes on from there."""

import pickle
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from metakd.atomic import new_file
from metakd.train.folder import StudyFolder

KEPT = 2
"""States of a training on disk: of two, one is whole whatever befalls the other."""

SAVE_INTERVAL_S = 20.0
"""A state is kept that often, at an epoch's end; a shorter training is run again instead."""


class InFlight:
    """The last states of one trial or teacher, as files that are whole or not there.

    Args:
        folder: The study's folder.
        training: Id of the trial or teacher; ``checkpoints/<id>/`` appears with the first state.
        interval_s: At least so much time lies between two states.
    """

    def __init__(
        self, folder: StudyFolder, training: str, interval_s: float = SAVE_INTERVAL_S
    ) -> None:
        self._folder = folder
        self._place = folder.checkpoints / training
        self._interval_s = interval_s
        self._saved_at = time.perf_counter()

    @property
    def is_due(self) -> bool:
        """Whether the last state, or the beginning, is longer ago than the interval."""
        return time.perf_counter() - self._saved_at >= self._interval_s

    def save(self, epochs_done: int, state: Mapping[str, Any]) -> None:
        """Stores a state, and removes all but the last two."""
        self._store(self._place / f"epoch-{epochs_done:06d}.pt", state)
        for old in self._files("epoch")[KEPT:]:
            self._folder.remove(old)
        self._saved_at = time.perf_counter()

    def branch(self, epochs_done: int, state: Mapping[str, Any]) -> None:
        """Stores a state from which several trainings may go on; it stays until ``forget``."""
        self._store(self._place / f"branch-{epochs_done:06d}.pt", state)

    def latest(self, at_most: int | None = None) -> dict[str, Any] | None:
        """Returns the last state that can be read, None if there is none.

        Args:
            at_most: States after more epochs are passed over.
        """
        import torch

        self._folder.fetch(self._place)
        for file in self._files("epoch", "branch"):
            if at_most is not None and _epochs(file) > at_most:
                continue
            try:
                state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
                continue
            return state
        return None

    def forget(self) -> None:
        """Removes all states."""
        self._folder.remove(self._place)

    def drop_copies(self) -> None:
        """Removes this machine's copies of what the object store has."""
        self._folder.drop_copies(self._place)

    def _store(self, place: Path, state: Mapping[str, Any]) -> None:
        # The interval above is an option of the command line, which has no seconds for PyTorch.
        import torch

        with new_file(place) as draft:
            torch.save(dict(state), draft)
        self._folder.push(place)

    def _files(self, *kinds: str) -> list[Path]:
        files = [file for kind in kinds for file in self._place.glob(f"{kind}-*.pt")]
        return sorted(files, key=_epochs, reverse=True)


def _epochs(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def end_trainings(folder: StudyFolder, trainings: Collection[str]) -> None:
    """Removes the states that only these trainings would go on from, on whatever machine made."""
    kept = folder.names(folder.checkpoints)
    for training in trainings:
        place = folder.checkpoints / training
        own = [folder.checkpoints / name for name in kept if name.startswith(f"{training}/")]
        last = [file for file in own if file.name.startswith("epoch-")]
        if len(last) < len(own):
            for file in last:
                folder.remove(file)
        elif last or place.exists():
            # With what a kill left half-written.
            folder.remove(place)


def sweep_finished(folder: StudyFolder, finished: Collection[str]) -> None:
    """Removes states of what is finished: a kill can come between a commit and their removal."""
    kept = {name.partition("/")[0] for name in folder.names(folder.checkpoints)}
    for training in kept.intersection(finished):
        InFlight(folder, training).forget()
    # What is left belongs to trainings that go on later.
    with suppress(OSError):
        folder.checkpoints.rmdir()

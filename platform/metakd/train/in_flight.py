"""What is kept of a trial that runs, so that whoever runs it next goes on from there."""

import pickle
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from metakd.atomic import new_file

KEPT = 2
"""States of a trial on disk: of two, one is whole whatever befalls the other."""


class InFlight:
    """The last states of one trial, as files that are whole or not there.

    Args:
        folder: ``checkpoints/<trial_id>/``; it appears with the first state.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, epochs_done: int, state: Mapping[str, Any]) -> None:
        """Stores a state, and removes all but the last two."""
        with new_file(self._folder / f"epoch-{epochs_done:06d}.pt") as draft:
            torch.save(dict(state), draft)
        for old in self._files()[KEPT:]:
            old.unlink(missing_ok=True)

    def latest(self) -> dict[str, Any] | None:
        """Returns the last state that can be read, None if there is none."""
        for file in self._files():
            try:
                state: dict[str, Any] = torch.load(file, map_location="cpu")
            except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
                continue
            return state
        return None

    def forget(self) -> None:
        """Removes all states."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-*.pt"), reverse=True)


def sweep_finished(checkpoints: Path, finished: Collection[str]) -> None:
    """Removes states of trials that a kill kept from being removed after their commit."""
    for folder in checkpoints.glob("*"):
        if folder.name in finished:
            InFlight(folder).forget()
    # What is left belongs to trials that go on later.
    with suppress(OSError):
        checkpoints.rmdir()

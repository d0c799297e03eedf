"""What validation said of committed trials, epoch by epoch."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from metakd.results.reader import read_steps
from metakd.results.study import StoreError
from metakd.train.folder import StudyFolder
from metakd.train.trial import Trial

Curve = NDArray[np.float32]


class Curves:
    """The validation curves of a study's committed trials, read when they are needed.

    Args:
        folder: The study's folder.
        finished: Ids of the trials that are committed.
    """

    def __init__(self, folder: StudyFolder, finished: Collection[str]) -> None:
        self._out = folder.out
        self._finished = set(finished)
        self._unread = set(finished)
        self._curves: dict[str, Curve] = {}

    def val_acc(self, trial: Trial) -> float | None:
        """Returns validation accuracy after a trial's last epoch, None where it has not run.

        Raises:
            StoreError: If its curve is damaged or missing.
        """
        covering = self._covering(trial)
        return None if covering is None else float(self._curve(covering)[trial.epochs - 1])

    def covering(self, trial: Trial) -> str:
        """Returns the id of a committed trial that has all epochs of this one."""
        covering = self._covering(trial)
        assert covering is not None
        return covering

    def add(self, trial_id: str, curve: Curve | None = None) -> None:
        """Notes that a trial was committed.

        Args:
            trial_id: Which.
            curve: Its validation accuracies; None reads them when they are needed.
        """
        self._finished.add(trial_id)
        if curve is None:
            self._unread.add(trial_id)
        else:
            self._curves[trial_id] = curve

    def _covering(self, trial: Trial) -> str | None:
        for trial_id in (trial.whole.id, trial.id):
            if trial_id in self._finished:
                return trial_id
        return None

    def _curve(self, trial_id: str) -> Curve:
        if trial_id not in self._curves:
            # One by one, those of a study that goes on would take a minute.
            self._curves.update(self._read(self._unread))
            self._unread.clear()
        if trial_id not in self._curves:
            row = self._out / "trials" / f"{trial_id}.parquet"
            raise StoreError(
                f"{self._out} lacks the curve of trial {trial_id}: delete {row}, or the part that "
                "holds it, and run the study again, which repeats it"
            )
        return self._curves[trial_id]

    def _read(self, trial_ids: Collection[str]) -> dict[str, Curve]:
        steps = read_steps(self._out, trial_ids, ["val_acc"])
        ids = steps["trial_id"].combine_chunks()
        if not len(ids):
            return {}
        codes, values = ids.indices.to_numpy(), steps["val_acc"].to_numpy()
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        names = ids.dictionary.to_pylist()
        parts = np.split(values, starts[1:])
        return {names[codes[start]]: part for start, part in zip(starts, parts, strict=True)}

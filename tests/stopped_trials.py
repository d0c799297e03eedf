"""A trial that is stopped in the middle, and the state that it leaves."""

from typing import Any

import pytest

from metakd.train.folder import StudyFolder
from metakd.train.in_flight import InFlight
from metakd.train.student import run_trial
from metakd.train.trial import Trial


def state_of_stopped(trial: Trial, folder: StudyFolder) -> dict[str, Any]:
    """Runs a trial until Ctrl-C after its second epoch, and returns its latest kept state."""

    def stop(epoch: Any) -> None:
        if epoch.record.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(trial, folder, None, stop, save_interval_s=0.0)
    state = InFlight(folder, trial.id).latest()
    assert state is not None
    return state

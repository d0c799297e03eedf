"""MLflow: a run for each trial, below the run of its setting, in the experiment of the study.

They go to MLFLOW_TRACKING_URI, or else into a database in the study's folder.
"""

import logging
import os
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from metakd.study.trackers import LoggedTrial, LoggedVerdict

FOLDER = "mlflow"
AT_ONCE = 1000
"""As many metrics as MLflow takes in one call."""


def place(out: Path) -> str:
    """Returns how a study's runs are seen."""
    return f"mlflow ui --backend-store-uri {_address(out)}"


def open_tracker(out: Path, study: str) -> "MLflow":
    """Returns the tracker of a study."""
    return MLflow(_address(out), out, study)


def _address(out: Path) -> str:
    own = f"sqlite:///{(out / FOLDER / 'runs.db').absolute()}"
    return os.environ.get("MLFLOW_TRACKING_URI") or own


class MLflow:
    """Logs runs by MLflow's client.

    Args:
        address: Of the tracking server, or of a database.
        out: The study's folder.
        study: Its name, that of the experiment.
    """

    def __init__(self, address: str, out: Path, study: str) -> None:
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=address)
        found = self._client.get_experiment_by_name(study)
        # A server has a place of its own for files; a database has none.
        files = str((out / FOLDER / "files").absolute()) if address.startswith("sqlite") else None
        self._experiment = (
            found.experiment_id
            if found
            else self._client.create_experiment(study, artifact_location=files)
        )
        self._groups: dict[str, str] = {}

    def log_trial(self, trial: LoggedTrial) -> None:
        """Logs a trial as a run with its curves at the times of its epochs."""
        run = self._start(trial.name, trial.started_at, {MLFLOW_PARENT_RUN_ID: self._group(trial)})
        metrics = [
            Metric(name, value, _ms(trial.started_at + elapsed_s), epoch)
            for epoch, elapsed_s, numbers in trial.curve
            for name, value in numbers.items()
        ]
        ended_ms = metrics[-1].timestamp if metrics else _ms(trial.started_at)
        metrics += [Metric(name, value, ended_ms, 0) for name, value in trial.results.items()]
        choices = {**trial.choices, "trial_id": trial.id}
        self._client.log_batch(run, params=[Param(k, str(v)) for k, v in choices.items()])
        for start in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(run, metrics=metrics[start : start + AT_ONCE])
        self._client.set_terminated(run, end_time=ended_ms)

    def log_verdict(self, verdict: LoggedVerdict) -> None:
        """Logs the verdict as a table in Markdown, in a run of its own."""
        run = self._start("verdict", None, {"mlflow.note.content": verdict.markdown})
        self._client.log_text(run, verdict.markdown, "verdict.md")
        self._client.set_terminated(run)

    def _group(self, trial: LoggedTrial) -> str:
        """Returns the run of a trial's setting; makes it where there is none."""
        if trial.group not in self._groups:
            name = trial.group.replace("'", "")
            found = self._client.search_runs(
                [self._experiment], f"attributes.run_name = '{name}'", max_results=1
            )
            self._groups[trial.group] = (
                found[0].info.run_id if found else self._start(name, trial.started_at, {})
            )
            self._client.set_terminated(self._groups[trial.group])
        return self._groups[trial.group]

    def _start(self, name: str, started_at: float | None, tags: dict[str, str]) -> str:
        run = self._client.create_run(
            self._experiment,
            start_time=None if started_at is None else _ms(started_at),
            tags=tags,
            run_name=name,
        )
        run_id: str = run.info.run_id
        return run_id


def _ms(seconds: float) -> int:
    return round(1000 * seconds)

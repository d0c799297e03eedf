"""Weights & Biases: a run for each trial, in the project WANDB_PROJECT, ``metakd`` by default.

WANDB_MODE=offline keeps runs in ``OUT/wandb``; ``wandb sync`` uploads them.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import wandb

from metakd.errors import UserError
from metakd.study.trackers import LoggedTrial, LoggedVerdict

PROJECT = os.environ.get("WANDB_PROJECT") or "metakd"
OFFLINE = ("offline", "dryrun", "disabled")


def place(out: Path) -> str:
    """Returns where a study's runs are seen.

    Raises:
        UserError: If nobody is logged in.
    """
    if os.environ.get("WANDB_MODE") in OFFLINE:
        return f"wandb sync {out / 'wandb'}/offline-run-*"
    if not wandb.login(prompt=False):
        raise UserError(
            "--log wandb needs an account: run wandb login, or set WANDB_MODE=offline to keep runs "
            "here and upload them later"
        )
    return f"wandb, project {PROJECT}"


def open_tracker(out: Path, study: str) -> "WeightsAndBiases":
    """Returns the tracker of a study."""
    return WeightsAndBiases(out, study)


class WeightsAndBiases:
    """Logs runs by wandb.

    Args:
        out: The study's folder.
        study: Its name, each run's tag.
    """

    def __init__(self, out: Path, study: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._out = out
        self._study = study

    def log_trial(self, trial: LoggedTrial) -> None:
        """Logs a trial as a run, its curves over epochs."""
        # The same trial in another study is another run.
        with self._run(
            trial.name, trial.group, id=f"{self._study}-{trial.id}", config=trial.choices
        ) as run:
            run.define_metric("epoch")
            run.define_metric("*", step_metric="epoch")
            for epoch, elapsed_s, numbers in trial.curve:
                run.log({"epoch": epoch, "elapsed_s": elapsed_s, **numbers})
            run.summary.update(trial.results)

    def log_verdict(self, verdict: LoggedVerdict) -> None:
        """Logs the verdict as a table, in a run of its own."""
        with self._run("verdict", "verdict", notes=verdict.headline) as run:
            rows: list[Iterable[object]] = [list(row) for row in verdict.rows]
            run.log({"verdict": wandb.Table(columns=list(verdict.columns), data=rows)})
            run.summary["headline"] = verdict.headline

    def _run(self, name: str, group: str, **options: Any) -> Any:  # noqa: ANN401 - wandb's own
        return wandb.init(
            project=PROJECT,
            dir=self._out,
            name=name,
            group=group,
            tags=[self._study],
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", disable_git=True),
            **options,
        )

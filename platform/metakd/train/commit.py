"""What the store keeps of a trial, and how it gets there."""

import json
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from metakd.core.evaluation import Evaluation
from metakd.results.mirror import push_change
from metakd.results.writer import FinishedTrial, finished_trial, write_failure, write_trials
from metakd.train.epochs import Epoch
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import end_trainings
from metakd.train.student import Outcome
from metakd.train.trial import Trial, teachers_name

PACKAGES = ("metakd", "torch", "torchvision", "timm", "ray", "numpy", "pyarrow")


def result_of(trial: Trial, outcome: Outcome, git_commit: str) -> FinishedTrial:
    """Returns what the store keeps of a finished trial."""
    steps = [_curve_row(trial, epoch) for epoch in outcome.epochs]
    status = "done" if trial.stop_after is None else "stopped"
    row = {"status": status, **content_columns(trial), **_outcome_columns(outcome)}
    return finished_trial({**row, "git_commit": git_commit}, steps, outcome.student)


def commit(results: Sequence[tuple[Trial, FinishedTrial]], folder: StudyFolder) -> None:
    """Commits trials together; they are never run again, and their last states are removed.

    Only the process that holds the study may do so. What a trial keeps for trials that go on from
    it stays, until their strategy has ended.

    Raises:
        StoreError: If the store does not take them.
        OSError: If the disk is full.
    """
    change = write_trials(folder.out, [result for _, result in results])
    if folder.store is not None:
        push_change(folder.out, folder.store, change)
    end_trainings(folder, [trial.whole.id for trial, _ in results])


def record_failure(trial: Trial, error: str, folder: StudyFolder, git_commit: str) -> None:
    """Records that a trial failed, and why; its last states stay, and it may be tried again."""
    row = {"status": "failed", "error": error, "git_commit": git_commit, **content_columns(trial)}
    write_failure(folder.out, {**row, **_place_columns()})
    folder.push(folder.out / "failed" / f"{trial.id}.parquet")


@cache
def package_versions() -> Mapping[str, str]:
    """Returns the installed versions of what decides a result, that of Python among them."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def content_columns(trial: Trial) -> dict[str, Any]:
    """Returns the columns of a trial's row that are known before it runs."""
    return {
        "trial_id": trial.id,
        "pair_id": trial.pair_id,
        "name": trial.name,
        "dataset": trial.data.dataset,
        "scale": trial.sampling.scale,
        "augmentation": trial.sampling.augmentation,
        "teacher": teachers_name(trial.teachers),
        "student": trial.student,
        "seed": trial.seed,
        "method": trial.distiller.method,
        "tau_s_init": getattr(trial.distiller, "tau_s", None),
        "tau_t_init": getattr(trial.distiller, "tau_t", None),
        "alpha": getattr(trial.distiller, "alpha", None),
        "config_json": trial.config_json,
    }


def _outcome_columns(outcome: Outcome) -> dict[str, Any]:
    records = [epoch.record for epoch in outcome.epochs]
    last, selected = outcome.epochs[-1], outcome.epochs[outcome.selected_epoch]
    tau_s, tau_t = last.record.temperatures or (None, None)
    return {
        "tau_s_last": tau_s,
        "tau_t_last": tau_t,
        "val_acc_last": last.validation.accuracy,
        "test_acc_last": _accuracy(outcome.test_last),
        "val_acc_selected": selected.validation.accuracy,
        "test_acc_selected": _accuracy(outcome.test_selected),
        "teacher_val_acc_last": _accuracy(last.teacher_validation),
        "teacher_test_acc_last": _accuracy(outcome.teacher_test),
        "selected_epoch": outcome.selected_epoch,
        "train_samples": outcome.train_samples,
        "validation_samples": outcome.validation_samples,
        "validation_samples_learned": outcome.validation_samples_learned,
        "test_samples": outcome.test_samples,
        "epochs": len(records),
        "steps": last.record.step,
        "meta_steps": sum(record.meta_steps for record in records),
        "meta_steps_skipped": sum(record.meta_steps_skipped for record in records),
        "step_equivalents": sum(record.step_equivalents for record in records),
        "student_compute_s": sum(record.compute_s for record in records),
        "wall_s": outcome.wall_s,
        "started": outcome.started,
        "device": outcome.device,
        "precision": outcome.precision,
        "workers": outcome.workers,
        **_place_columns(),
    }


def _accuracy(evaluation: Evaluation | None) -> float | None:
    return None if evaluation is None else evaluation.accuracy


def _place_columns() -> dict[str, Any]:
    return {
        "ended": datetime.now(UTC),
        "host": socket.gethostname(),
        "versions_json": json.dumps(dict(package_versions()), sort_keys=True),
    }


def _curve_row(trial: Trial, epoch: Epoch) -> dict[str, Any]:
    record = epoch.record
    tau_s, tau_t = record.temperatures or (None, None)
    meta_grad_tau_s, meta_grad_tau_t = record.meta_gradient or (None, None)
    return {
        "trial_id": trial.id,
        "step": record.step,
        "epoch": record.epoch,
        "train_loss": record.train_loss,
        "ce_loss": record.ce_loss,
        "kd_loss": record.kd_loss,
        "feature_loss": record.feature_loss,
        "meta_loss": record.meta_loss,
        "meta_loss_before": record.meta_loss_before,
        "teacher_val_acc": _accuracy(epoch.teacher_validation),
        "val_acc": epoch.validation.accuracy,
        "val_loss": epoch.validation.loss,
        "tau_s": tau_s,
        "tau_t": tau_t,
        "meta_grad_tau_s": meta_grad_tau_s,
        "meta_grad_tau_t": meta_grad_tau_t,
        "lr": record.lr,
        "elapsed_s": epoch.elapsed_s,
        "teacher_weights": [asdict(weights) for weights in record.teacher_weights] or None,
    }

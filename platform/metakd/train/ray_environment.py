"""Ray's settings that must stand in the environment before Ray is imported."""

import os

SETTINGS = {
    # `uv run` would make Ray build a new environment in every worker.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Train polls its workers every 2 s otherwise, longer than a small teacher's epoch.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    # A teacher waits for CPUs on which views are being made, a trial for a node that comes up.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "3600",
    # The store is ours: Tune's own CSV, JSON and TensorBoard files would repeat it.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Tune writes down all trials again and again for a restore of its own, never needed here.
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # Ctrl-C is handled by the study, which says how to continue.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Ray's handler in C++ answers SIGTERM with a stack trace and a core dump.
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    # Ray would start a process for each CPU beforehand, which no actor takes over.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Tune's tables of its own configuration are no news to a user; the study shows progress.
    "RAY_AIR_NEW_OUTPUT": "0",
}


def prepare_ray_environment() -> None:
    """Sets what the user has not set."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)

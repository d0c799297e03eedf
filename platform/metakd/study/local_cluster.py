"""Starts a Ray cluster of the study's own on this machine."""

import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import ray

from metakd.machine import memory_limit, usable_cpus
from metakd.memory import REMEDY, tells_of_memory
from metakd.signals import kept_handlers
from metakd.study.cluster_address import ClusterError
from metakd.study.ray_folder import RayFolder, ray_folder

ATTEMPTS = 2
"""A machine that is busy may not start Ray in the time that Ray gives itself."""
OBJECT_STORE_SHARE = 0.3
"""Of memory, as Ray itself takes it: of the machine's, though a job may have a part of it."""
SMALLEST_OBJECT_STORE = 80 * 2**20
"""Ray refuses less than 75 MiB."""


def start_local(tell: Callable[[str], None]) -> "ray.runtime_context.RayContext":
    """Starts Ray here, with the CPUs and the memory that this process may use.

    Args:
        tell: Is told what a user should know, in a line each.

    Raises:
        ClusterError: If Ray does not start; it names what to set.
        StoppedBySignal: If the process was asked to end meanwhile.
    """
    folder = ray_folder()
    if folder.note:
        tell(folder.note)
    own_token_without_home()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with kept_handlers():
                return ray.init(
                    address="local",
                    num_cpus=usable_cpus(),
                    object_store_memory=_object_store_bytes(),
                    include_dashboard=True,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    _temp_dir=str(folder.place),
                )
        except Exception as error:
            ray.shutdown()
            if attempt == ATTEMPTS:
                raise ClusterError(_reason(error, folder)) from error
            tell(f"Ray did not start ({first_line(error)}): tried once more")
    raise AssertionError


def own_token_without_home() -> None:
    """Gives Ray a token that it need not keep, where there is no home folder to keep it in."""
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    home = os.environ.get("HOME", "")
    place = Path(home) / ".ray"
    try:
        if home and (place / "auth_token").is_file() and os.access(place / "auth_token", os.R_OK):
            return
        folder = place if place.exists() else Path(home)
        if home and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return
    except OSError:
        pass
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _object_store_bytes() -> int | None:
    limit = memory_limit()
    # Without a limit Ray's own choice is right.
    return None if limit is None else max(SMALLEST_OBJECT_STORE, int(OBJECT_STORE_SHARE * limit))


def _reason(error: Exception, folder: RayFolder) -> str:
    if tells_of_memory(f"{type(error).__name__}: {error}"):
        return f"Ray does not start for want of memory ({first_line(error)}): {REMEDY}"
    logs = folder.place / "session_latest" / "logs"
    return (
        f"Ray does not start here: {first_line(error)}; its logs are in {logs}: look for a full "
        "disk there (RAY_TMPDIR chooses "
        "another), a home folder that cannot be written (HOME), a limit of processes (ulimit -u), "
        "or name a cluster that runs (--cluster HOST:PORT)"
    )


def first_line(error: Exception) -> str:
    """Returns the first line of an error that says anything."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

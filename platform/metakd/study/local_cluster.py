"""Starts a Ray cluster of the study's own on this machine."""

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ray

from metakd.machine import memory_limit, usable_cpus
from metakd.memory import REMEDY, is_about_memory
from metakd.signals import kept_handlers
from metakd.study.cluster_address import ClusterError

ATTEMPTS = 2
"""A machine that is busy may not start Ray in the time that Ray gives itself."""
OBJECT_STORE_SHARE = 0.3
"""Of memory, as Ray itself takes it: of the machine's, though a job may have a part of it."""
SMALLEST_OBJECT_STORE = 80 * 2**20
"""Ray refuses less than 75 MiB."""


@dataclass(frozen=True)
class RayFolder:
    """Where Ray's files go.

    Attributes:
        place: The folder.
        note: What a user should know of the choice; "" if nothing.
    """

    place: Path
    note: str = ""


def start_local(notify: Callable[[str], None]) -> "ray.runtime_context.RayContext":
    """Starts Ray here, with the CPUs and the memory that this process may use.

    Args:
        notify: Shows a user a line.

    Raises:
        ClusterError: If Ray does not start; it names what to set.
        StoppedBySignal: If the process is to end meanwhile.
    """
    folder = ray_folder()
    if folder.note:
        notify(folder.note)
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
            notify(f"Ray did not start ({first_line(error)}): tried once more")
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
    if is_about_memory(f"{type(error).__name__}: {error}"):
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


MAX_SOCKET_BYTES = 107
"""Of a unix socket's path on Linux; three fewer on macOS."""
SOCKET = "session_2000-01-01_00-00-00_000000_{pid}/sockets/dash_MetricsHead"
"""Below the folder: the longest path of a socket."""
USUAL = Path("/tmp")


def ray_folder(usual: Path = USUAL) -> RayFolder:
    """Chooses the folder: in RAY_TMPDIR, else in TMPDIR where Ray can use it, else in /tmp.

    Of a TMPDIR that cannot be used the environment is rid, too: Ray's dashboard and whatever else
    this process starts has sockets of its own there.

    Args:
        usual: What stands for /tmp.

    Raises:
        ClusterError: If RAY_TMPDIR names a folder that Ray cannot use, or none can be used.
    """
    named, given = os.environ.get("RAY_TMPDIR", ""), os.environ.get("TMPDIR", "")
    # An empty one would mean the working directory to Ray.
    for name in ("RAY_TMPDIR", "TMPDIR"):
        if os.environ.get(name) == "":
            del os.environ[name]
    if named:
        flaw = _flaw(Path(named) / "ray")
        if flaw is not None:
            raise ClusterError(
                f"Ray cannot start in RAY_TMPDIR={named}: it {flaw}; set RAY_TMPDIR to a short "
                f"path of a folder that can be written, such as {usual}, or unset it"
            )
    flaw = _flaw(Path(given) / "ray") if given else None
    if named or (given and flaw is None):
        if flaw is not None:
            os.environ["TMPDIR"] = named
        return RayFolder(Path(named or given) / "ray")
    own = usual / f"ray-{os.getuid()}"
    place = usual / "ray" if _flaw(usual / "ray") is None else own
    if place == own and (flaw_of_own := _flaw(own)) is not None:
        raise ClusterError(
            f"Ray cannot start in {usual}: it {flaw_of_own}; set RAY_TMPDIR to a short path of a "
            "folder that can be written"
        )
    if not given:
        return RayFolder(place)
    os.environ["TMPDIR"] = str(usual)
    return RayFolder(place, f"Ray's files go to {place}: TMPDIR={given} {flaw}")


def _flaw(place: Path) -> str | None:
    """Returns why Ray cannot keep its sockets in a folder that it may have to make, or None."""
    length = len(os.fsencode(place / SOCKET.format(pid=os.getpid())))
    if length > MAX_SOCKET_BYTES:
        most = len(os.fsencode(place.parent)) - length + MAX_SOCKET_BYTES
        return (
            f"is too long for a socket ({len(os.fsencode(place.parent))} characters, {most} at "
            "most)"
        )
    for folder in (place.parent, place):
        try:
            if not folder.exists():
                if folder == place:
                    return None
                return "does not exist"
            if not folder.is_dir():
                return "is a file" if folder != place else f"holds a file {place.name}"
        except OSError as error:
            return f"cannot be used ({error.strerror})"
        if not os.access(folder, os.W_OK | os.X_OK) and (folder == place or not place.exists()):
            return "cannot be written"
    return None

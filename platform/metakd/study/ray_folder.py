"""The folder in which Ray keeps sockets and logs, chosen so that it can start there."""

import os
from dataclasses import dataclass
from pathlib import Path

from metakd.study.cluster_address import ClusterError

MAX_SOCKET_BYTES = 107
"""Of a unix socket's path on Linux; three fewer on macOS."""
SOCKET = "session_2000-01-01_00-00-00_000000_{pid}/sockets/dash_MetricsHead"
"""Below the folder: the longest path of a socket."""
USUAL = Path("/tmp")


@dataclass(frozen=True)
class RayFolder:
    """Where Ray's files go.

    Attributes:
        place: The folder.
        note: What a user should know of the choice; "" if nothing.
    """

    place: Path
    note: str = ""


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

"""The folder in which Ray keeps sockets and logs, chosen so that it can start there."""

import os
from dataclasses import dataclass
from pathlib import Path

from metakd.study.cluster_address import ClusterError

MAX_SOCKET_BYTES = 107
"""Of a unix socket's path on Linux; one more on no system, three fewer on macOS."""
SOCKET = "session_2000-01-01_00-00-00_000000_{pid}/sockets/plasma_store.1"
"""Below the folder: the longest path of a socket."""
USUAL = Path("/tmp")


@dataclass(frozen=True)
class RayFolder:
    """Where Ray's files go.

    Attributes:
        place: The folder; None where Ray's own choice is as good.
        note: What a user should know of the choice; "" if nothing.
    """

    place: Path | None
    note: str = ""


def ray_folder(usual: Path = USUAL) -> RayFolder:
    """Chooses the folder: that of RAY_TMPDIR, else of TMPDIR where Ray can use it, else /tmp.

    Args:
        usual: What stands for /tmp.

    Raises:
        ClusterError: If RAY_TMPDIR names a folder that Ray cannot use, or none can be used.
    """
    named = os.environ.get("RAY_TMPDIR", "")
    if named:
        flaw = _flaw(Path(named) / "ray")
        if flaw is not None:
            raise ClusterError(
                f"Ray cannot start in RAY_TMPDIR={named}: {flaw}; set RAY_TMPDIR to a short path "
                f"of a folder that can be written, such as {usual}, or unset it"
            )
        return RayFolder(None)
    # An empty one would mean the working directory to Ray.
    os.environ.pop("RAY_TMPDIR", None)
    given = os.environ.get("TMPDIR", "")
    flaw_given = _flaw(Path(given) / "ray") if given else None
    if given and flaw_given is None:
        return RayFolder(None)
    of_user = usual / f"ray-{os.getuid()}"
    places = {usual / "ray": _flaw(usual / "ray"), of_user: _flaw(of_user)}
    usable = [place for place, flaw in places.items() if flaw is None]
    if not usable:
        raise ClusterError(
            f"Ray cannot start in {usual}: {places[of_user]}; set RAY_TMPDIR to a short path of a "
            "folder that can be written"
        )
    if given:
        note = f"Ray's files go to {usable[0]}: TMPDIR={given} {flaw_given}"
        return RayFolder(usable[0], note)
    return RayFolder(None) if usable[0] == usual / "ray" else RayFolder(usable[0])


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

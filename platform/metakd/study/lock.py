"""One study at a time in a results folder."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from metakd.errors import UserError
from metakd.results.study import LOCK_FILE


class LockError(UserError):
    """Another study works in the results folder."""


@contextmanager
def only_study_in(out: Path) -> Iterator[None]:
    """Holds a results folder; the system lets go of it with this process, however that ends.

    Args:
        out: The folder; it is made if need be.

    Raises:
        LockError: If another process holds it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK_FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise LockError(
                f"another study works in {out} ({file.read().strip() or 'just started'}): wait for "
                "it, stop it, or choose another --out"
            ) from error
        file.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
        file.flush()
        yield

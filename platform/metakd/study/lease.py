"""One study at a time on an object store, which has no locks that a crash lets go of.

The driver renews an object there again and again. A lease that is not renewed is of a driver that
died; who wants it watches for that long. No two clocks are compared.

Two drivers that start within the same second may both begin. That costs work and harms nothing: a
trial is its content, and both write the same.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from metakd.atomic import new_file
from metakd.results.object_store import ObjectStore
from metakd.results.study import LOCK_FILE, StoreError
from metakd.study.lock import LockError

RENEWAL_S = 10.0
WATCH_S = 3 * RENEWAL_S
POLL_S = 1.0
SCRATCH_ID_FILE = ".scratch-id"


@contextmanager
def only_study_on(
    store: ObjectStore,
    scratch: Path,
    on_wait: Callable[[str], None] = lambda who: None,
    renewal_s: float = RENEWAL_S,
    watch_s: float = WATCH_S,
) -> Iterator[None]:
    """Holds a place in an object store for as long as this process lives.

    Args:
        store: The place.
        scratch: This machine's folder for it, which this process holds already: a lease taken from
            the same folder is of a process that is gone.
        on_wait: Called with the holder of a lease that is being watched.
        renewal_s: Seconds between two renewals.
        watch_s: So long without a renewal, and a lease is over.

    Raises:
        LockError: If another process holds it.
        StoreError: If the store does not answer.
    """
    lease = _Lease(store, _id_of(scratch))
    lease.take(on_wait, watch_s)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(renewal_s):
            # A store that does not answer now fails the trials' commits, which say so.
            with suppress(StoreError, OSError):
                lease.renew()

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        lease.end()


class _Lease:
    def __init__(self, store: ObjectStore, scratch_id: str) -> None:
        self._store = store
        self._renewals = 0
        self._content = {
            "holder": uuid4().hex,
            "scratch": scratch_id,
            "who": f"process {os.getpid()} on {socket.gethostname()}",
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def take(self, on_wait: Callable[[str], None], watch_s: float) -> None:
        found = self._read()
        if found and found.get("scratch") != self._content["scratch"]:
            on_wait(str(found.get("who")))
            self._watch(found, watch_s)
        self.renew()
        found = self._read()
        if found is None or found["holder"] != self._content["holder"]:
            raise self._refusal(found or {})

    def renew(self) -> None:
        self._renewals += 1
        self._store.write(LOCK_FILE, json.dumps({**self._content, "renewals": self._renewals}))

    def end(self) -> None:
        with suppress(StoreError):
            found = self._read()
            if found and found["holder"] == self._content["holder"]:
                self._store.remove([LOCK_FILE])

    def _watch(self, found: dict[str, Any], watch_s: float) -> None:
        deadline = time.monotonic() + watch_s
        while time.monotonic() < deadline:
            time.sleep(min(POLL_S, watch_s / 3))
            now = self._read()
            if now is None:
                return
            if now != found:
                raise self._refusal(now)

    def _read(self) -> dict[str, Any] | None:
        text = self._store.read(LOCK_FILE)
        try:
            return None if text is None else dict(json.loads(text))
        except ValueError:
            return None

    def _refusal(self, found: dict[str, Any]) -> LockError:
        return LockError(
            f"another study works in {self._store} ({found.get('who', 'just started')} since "
            f"{found.get('since', 'now')}): wait for it, stop it, or choose another --out"
        )


def _id_of(scratch: Path) -> str:
    file = scratch / SCRATCH_ID_FILE
    if not file.exists():
        with new_file(file) as draft:
            draft.write_text(uuid4().hex)
    return file.read_text()

"""Signals that ask a process to end, all of them as Ctrl-C does.

SIGTERM comes from Slurm, Kubernetes and docker stop, SIGHUP from a terminal that is closed, SIGUSR1
from Slurm where a job requests a warning before its end.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
GRACE_S = 10.0
"""After a signal further ones count only after that time: what ends must not be torn apart."""


class StoppedBySignal(KeyboardInterrupt):
    """The process is to end.

    Attributes:
        number: The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class EndingSignals:
    """Raises ``StoppedBySignal`` in the main thread for a signal that ends a process.

    A signal that is ignored from the start (``nohup``) stays ignored.

    Attributes:
        received: The first signal that came; None before.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._received_at = 0.0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> "EndingSignals":
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._stop)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            # After the first, the process ends: a second signal must not tear what it does at exit.
            ends = self.received is not None
            signal.signal(number, signal.SIG_IGN if ends else before or signal.SIG_DFL)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.received is not None and now - self._received_at < GRACE_S:
            return
        self.received = self.received or number
        self._received_at = now
        raise StoppedBySignal(number)


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Restores the handlers of the ending signals, which a library replaces inside the block.

    Raises:
        BaseException: What the handler of SIGTERM raises, if a library's ended the block: Ray's
            exits with the signal's number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        yield
    except SystemExit as ended:
        handler = before[signal.SIGTERM]
        if ended.code != signal.SIGTERM or not callable(handler):
            raise
        handler(signal.SIGTERM, None)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)

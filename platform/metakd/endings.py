"""How a command ends: with an exit code and one line, whatever befalls it."""

import argparse
import contextlib
import errno
import signal
import sys
import tempfile
import time
import traceback
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import NoReturn
from uuid import uuid4

from metakd.atomic import DISK_IS_FULL
from metakd.errors import UserError
from metakd.extras import how_to_install
from metakd.memory import REMEDY, is_about_memory, memory_line
from metakd.output import flush_output, prepare_streams, say
from metakd.signals import EndingSignals, StoppedBySignal

FAULT_FILE = "fault.txt"
"""In a results folder: the traceback of the last fault."""
SIGNALLED = 128
"""A shell's code of a command that a signal ended: this and the signal's number."""
LIMITS = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "the machine has too many files open",
    errno.EAGAIN: "raise the limit of processes (ulimit -u)",
    errno.ENOMEM: REMEDY,
    errno.EROFS: "it is read-only: choose another folder",
    errno.EACCES: "mend its permissions or choose another folder",
    errno.EPERM: "mend its permissions or choose another folder",
}
"""What mends an error of the operating system."""
NO_THREAD = "can't start new thread"


class ExitCode(IntEnum):
    """What a command's exit code says; those of signals are 128 and the signal's number."""

    DONE = 0
    FAILED_TRIALS = 1
    """Done, but some trials failed."""
    REFUSED = 2
    """It cannot be done as given; the line says what the user can mend."""
    FAULT = 3
    """A fault of metakd itself."""


class Parser(argparse.ArgumentParser):
    """Refuses what it does not understand in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Raises ``UserError``."""
        raise UserError(f"{message} ({self.prog} --help lists what there is)")


class Ending:
    """Ends the block of a command: no exception leaves it but argparse's own exit after --help.

    Attributes:
        code: The exit code, set by the block where it comes to its end, by its exception otherwise.
        is_in_haste: Whether a signal other than Ctrl-C ended the block: its sender waits, but
            not for long.
        out: The results folder, once it is known: a fault's traceback is written there.

    Args:
        stopped: What is said after Ctrl-C, SIGTERM or SIGHUP.
    """

    def __init__(self, stopped: str) -> None:
        self.code: int = ExitCode.DONE
        self.out: Path | None = None
        self.is_in_haste = False
        self._stopped = stopped
        self._signals = EndingSignals()

    def __enter__(self) -> "Ending":
        prepare_streams()
        self._signals.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            if error is None or (isinstance(error, SystemExit) and not self._signals.received):
                return False
            self._end(error)
            return True
        finally:
            self._signals.__exit__()
            flush_output()

    def _end(self, error: BaseException) -> None:
        number = self._signals.received
        if number is None and isinstance(error, KeyboardInterrupt):
            number = error.number if isinstance(error, StoppedBySignal) else signal.SIGINT
        if number is not None:
            # What went wrong after the signal is of no interest: a terminal that is gone, mostly.
            self.code = SIGNALLED + number
            self.is_in_haste = number != signal.SIGINT
            say("")
            say(self._stopped)
        elif isinstance(error, BrokenPipeError):
            flush_output()
        else:
            line = refusal(error, self.out)
            self.code = ExitCode.FAULT if line is None else ExitCode.REFUSED
            say(f"error: {line or fault(error, self.out)}", to_errors=True)


def refusal(error: BaseException, out: Path | None = None) -> str | None:
    """Returns the line of an error that the user can mend; None if it is a fault of metakd.

    Args:
        error: What ended the command.
        out: The results folder.
    """
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UserError):
        return " ".join(str(error).splitlines())
    if isinstance(error, MemoryError) or is_about_memory(f"{type(error).__name__}: {error}"):
        return f"memory ran out ({memory_line(str(error)) or type(error).__name__}): {REMEDY}"
    if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
        return (
            f"the disk of {out or error.filename or 'the output'} is full: finished trials are "
            "kept; make room and run the same command again"
        )
    if isinstance(error, OSError) and error.errno is not None:
        what = f"{error.filename}: {error.strerror}" if error.filename else message
        remedy = LIMITS.get(error.errno)
        return f"{what}: {remedy}" if remedy else what
    if isinstance(error, ImportError) and (package := _package_of(error)) != "metakd":
        return f"{message}: {how_to_install(package)}"
    if isinstance(error, RuntimeError) and NO_THREAD in message:
        return f"{message}: {LIMITS[errno.EAGAIN]}"
    return None


def fault(error: BaseException, out: Path | None = None) -> str:
    """Writes down the traceback of a fault, and returns the line that says so.

    Args:
        error: The fault.
        out: The results folder; without one, or one that cannot be written, the folder for
            temporary files is taken.
    """
    lines = " ".join(str(error).split())
    what = f"{type(error).__name__}: {lines}" if lines else type(error).__name__
    place = _write(error, out)
    where = f"its traceback is in {place}" if place else "its traceback could not be written"
    return (
        f"a fault of metakd itself, {what}; {where}; please report it with that file where you "
        "have metakd from. Finished trials are kept"
    )


def _write(error: BaseException, out: Path | None) -> Path | None:
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    python = sys.version.split()[0]
    lines = [f"{when}  Python {python}  {' '.join(sys.argv)}\n\n"]
    text = "".join(lines + traceback.format_exception(error))
    places = [out / FAULT_FILE] if out is not None and out.is_dir() else []
    with contextlib.suppress(OSError):  # no folder for temporary files at all
        places.append(Path(tempfile.gettempdir()) / f"metakd-fault-{uuid4().hex[:8]}.txt")
    for place in places:
        try:
            place.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return place.absolute()
    return None


def _package_of(error: ImportError) -> str:
    return (error.name or "metakd").partition(".")[0]

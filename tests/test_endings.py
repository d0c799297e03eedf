"""However a command ends: one line, and the exit code that says whose it is."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from study_command import default_signals

from metakd.endings import FAULT_FILE, Ending, ExitCode
from metakd.errors import UserError


def end(
    error: BaseException, out: Path | None, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    with Ending("Stopped.") as ending:
        ending.out = out
        raise error
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert printed.err.count("\n") <= 1
    return ending.code, printed.err or printed.out


def too_large() -> BaseException:
    try:
        np.empty(2**62, dtype=np.uint8)
    except MemoryError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UserError("no such thing:\nchoose another"), "error: no such thing: choose another"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x: Permission denied: mend"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "read-only: choose another"),
        (OSError(errno.ENOSPC, "No space left on device"), "is full: finished trials are kept"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"), "/x: No such file"),
        (MemoryError(), "memory ran out (MemoryError): run fewer trials at once"),
        (too_large(), "memory ran out (Unable to allocate"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate"),
            "memory ran out ([enforce fail at alloc_cpu.cpp",
        ),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (ModuleNotFoundError("No module named 'kaleido'", name="kaleido"), "'metakd[export]'"),
        (ModuleNotFoundError("No module named 'ray.tune'", name="ray.tune"), "'metakd[study]'"),
    ],
)
def test_what_the_user_can_mend_is_refused(
    error: BaseException, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = end(error, tmp_path, capsys)
    assert code == ExitCode.REFUSED
    assert words in line
    assert not (tmp_path / FAULT_FILE).exists()


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        RecursionError("too deep"),
        AssertionError(),
        ValueError("of\ntwo lines"),
        ImportError("cannot import name 'a'", name="metakd.core"),
    ],
)
def test_anything_else_is_a_fault_whose_traceback_is_kept(
    error: BaseException, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = end(error, tmp_path, capsys)
    assert code == ExitCode.FAULT
    assert f"fault of metakd itself, {type(error).__name__}" in line
    assert str(tmp_path / FAULT_FILE) in line
    assert "report it" in line
    kept = (tmp_path / FAULT_FILE).read_text()
    assert "Traceback (most recent call last)" in kept
    assert "test_endings.py" in kept


def test_a_fault_without_a_results_folder_is_kept_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, line = end(KeyError("x"), tmp_path / "not made yet", capsys)
    (kept,) = tmp_path.iterdir()
    assert code == ExitCode.FAULT
    assert str(kept) in line


def test_handlers_of_signals_are_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    end(UserError("x"), None, capsys)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


SLEEPER = """
import os, signal, sys, time
from metakd.endings import Ending
from metakd.signals import kept_handlers
with Ending("Stopped: it goes on from here.") as ending:
    try:
        {before}
        print("ready", flush=True)
        time.sleep(30)
    finally:
        # What is put in order at the end; a second signal must not tear it.
        os.kill(os.getpid(), signal.SIGTERM)
        print("in order", flush=True)
sys.exit(ending.code)
"""
LIKE_RAY = """
        import contextlib
        with kept_handlers():
            signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
            print("ready", flush=True)
            time.sleep(30)
"""


def stopped(number: signal.Signals, before: str = "") -> tuple[int, str]:
    """Runs a command, signals it, and returns its exit code and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER.format(before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=default_signals,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    return process.returncode, printed


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_end_a_command_in_order(number: signal.Signals, code: int) -> None:
    assert stopped(number) == (code, "in order\n\nStopped: it goes on from here.\n")


def test_a_library_that_takes_sigterm_does_not_get_it() -> None:
    code, printed = stopped(signal.SIGTERM, LIKE_RAY)
    assert (code, printed) == (143, "in order\n\nStopped: it goes on from here.\n")


def test_under_nohup_a_closed_terminal_changes_nothing() -> None:
    code = """
import os, signal, sys
from metakd.endings import Ending
with Ending("Stopped.") as ending:
    os.kill(os.getpid(), signal.SIGHUP)
    print("went on")
sys.exit(ending.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


@pytest.mark.parametrize("closed", ["| head -1", ">&-", "2>&1 | true"])
def test_nobody_who_reads_is_no_error(closed: str, tmp_path: Path) -> None:
    code = (
        "import sys; from metakd.endings import Ending\n"
        "with Ending('Stopped.') as ending:\n"
        "    for n in range(20000): print('line', n)\n"
        "sys.exit(ending.code)"
    )
    (tmp_path / "many.py").write_text(code)
    shell = f"{sys.executable} many.py {closed}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ)
    )
    assert (done.returncode, done.stderr) == (0, "")

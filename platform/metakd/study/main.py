"""A study from its command line to its verdict."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metakd.endings import Ending
from metakd.extras import require
from metakd.study.cluster_address import require_address
from metakd.study.command_line import parse
from metakd.study.spec import StudySpec, require_untaken_names

if TYPE_CHECKING:
    from rich.console import Console

    from metakd.analysis.summary import Summary

Render = Callable[[Path, "Summary"], Path]
Show = Callable[["Console", "Summary"], None]
STOPPED = "Stopped. Finished trials are kept; the same command continues from here."


def main(
    defaults: StudySpec,
    render: Render,
    show: Show,
    argv: Sequence[str] | None = None,
    prog: str | None = None,
) -> int:
    """Runs a study's command line and returns the process's exit code.

    0: done. 1: done, but some trials failed. 2: what was given cannot be done. 3: a fault of metakd
    itself. 130, 143, 129: stopped by Ctrl-C, SIGTERM, SIGHUP.

    Args:
        defaults: The study's own spec.
        render: Writes the HTML report of a summary into the results folder, returns its path.
        show: Prints the verdict of a summary and its tables.
        argv: The words after the script's name; None takes those of the process.
        prog: What ``--help`` calls the command; None is the script's name.
    """
    with Ending(STOPPED) as ending:
        spec, options = parse(defaults, argv, prog)
        require_untaken_names(spec)
        ending.out = options.out
        require_address(options.cluster)
        require("ray", "running studies")
        # What a word is refused for must not wait for the seconds that PyTorch and Ray take.
        from metakd.study.execute import execute

        ending.code = execute(spec, options, render, show, _console())
    if ending.is_in_haste:
        # At its exit Ray would wait for processes that may be gone.
        os._exit(ending.code)
    return ending.code


def _console() -> "Console":
    from metakd.study.console import PlainConsole

    return PlainConsole()

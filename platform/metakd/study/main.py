"""A study from its command line to its verdict."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metakd.atomic import DISK_IS_FULL
from metakd.errors import UserError
from metakd.study.cluster_address import require_address
from metakd.study.command_line import parse
from metakd.study.spec import StudySpec

if TYPE_CHECKING:
    from rich.console import Console

    from metakd.analysis.summary import Summary

INTERRUPTED = 130

Render = Callable[[Path, "Summary"], Path]


def main(defaults: StudySpec, render: Render, argv: Sequence[str] | None = None) -> int:
    """Runs a study's command line and returns the process's exit code.

    0: done. 1: done, but some trials failed. 2: something asked for cannot be had. 130: Ctrl-C.

    Args:
        defaults: The study's own spec.
        render: Writes the HTML report of a summary into the results folder, returns its path.
        argv: The words after the script's name; None takes those of the process.
    """
    try:
        spec, options = parse(defaults, argv)
        require_address(options.cluster)
        # What a word is refused for must not wait for the seconds that PyTorch and Ray take.
        from metakd.study.execute import execute

        return execute(spec, options, render, _console())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in DISK_IS_FULL:
            raise
        print(
            f"error: the disk of {options.out} is full: finished trials are kept; make room and "
            "run the same command again",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Finished trials are kept; the same command continues from here.")
        return INTERRUPTED


def _console() -> "Console":
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    # Away from a terminal nothing says how wide a line may be: the table needs this much.
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=120)

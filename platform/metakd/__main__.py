"""``metakd COMMAND``: studies, reports and tables, wherever metakd is installed."""

import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

from metakd import __version__
from metakd.endings import Ending, Parser

STOPPED = "Stopped."
COMMANDS = {
    "run": "STUDY [options]: run what is missing of a study, end with its verdict and report",
    "plan": "STUDY [options]: print what a run would do, and what it costs; run nothing",
    "report": "OUT [options]: render the report of a study's results again",
    "export": "csv|latex|svg|png OUT: write the results as tables, or every figure as a file",
    "compare": "OUT OUT2 ...: make one page of several studies side by side",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: see ``metakd.endings.ExitCode``.

    Args:
        argv: The words after the command's name; None takes those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    command: Callable[[], int] | None = None
    with Ending(STOPPED) as ending:
        command = _command(words or ["--help"])
    return ending.code if command is None else command()


def studies() -> list[str]:
    """Returns the names of the studies that metakd comes with."""
    return sorted(module.name for module in iter_modules(import_module("metakd.studies").__path__))


def _command(words: Sequence[str]) -> Callable[[], int]:
    """Returns what some words are to run; it has an ending of its own."""
    parser = Parser(
        prog="metakd",
        description="Search for the distillation temperature, or learn it?",
        formatter_class=RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:10}{text}" for name, text in COMMANDS.items())
        + f"\n\nstudies: {', '.join(studies())}\n"
        "metakd COMMAND --help lists the options of a command, metakd run STUDY --help of a study",
    )
    parser.add_argument("--version", action="version", version=f"metakd {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    name, rest = parser.parse_args(words[:1]).command, words[1:]
    if name == "report":
        return partial(_dashboards, rest, name)
    if name == "compare":
        return partial(_dashboards, _compared(rest), name)
    if name == "export":
        return partial(_dashboards, _exported(rest), name)
    return _study(name, rest)


def _study(command: str, words: Sequence[str]) -> Callable[[], int]:
    parser = Parser(
        prog=f"metakd {command}",
        description=_sentence(command),
        epilog=f"metakd {command} STUDY --help lists the options of a study",
    )
    parser.add_argument(
        "study", metavar="STUDY", choices=studies(), help=f"of {', '.join(studies())}"
    )
    name = parser.parse_args(words[:1]).study
    options = [*words[1:], *(["--dry-run"] if command == "plan" else [])]

    def run() -> int:
        from metakd.dashboards import print_verdict, write_report
        from metakd.study.main import main as run_study

        spec = import_module(f"metakd.studies.{name}").STUDY
        return run_study(spec, write_report, print_verdict, options, f"{parser.prog} {name}")

    return run


def _sentence(command: str) -> str:
    return f"{COMMANDS[command].partition(': ')[2].capitalize()}."


def _dashboards(words: Sequence[str], command: str) -> int:
    from metakd.dashboards.__main__ import main as render

    return render(words, f"metakd {command}")


def _compared(words: Sequence[str]) -> list[str]:
    """Returns the words of ``compare`` as ``report`` takes them."""
    parser = Parser(prog="metakd compare", description=_sentence("compare"))
    parser.add_argument("out", metavar="OUT", help="results, in a folder or an object store")
    parser.add_argument("others", metavar="OUT2", nargs="+", help="those of other studies")
    parser.add_argument("--output", metavar="FILE", help="where to write the page")
    given = parser.parse_args(words)
    place = [] if given.output is None else ["--output", given.output]
    return [given.out, *place, "--compare", *given.others]


def _exported(words: Sequence[str]) -> list[str]:
    """Returns the words of ``export`` as ``report`` takes them."""
    from metakd.dashboards.__main__ import FIGURES, TABLES

    parser = Parser(prog="metakd export", description=_sentence("export"))
    parser.add_argument("format", choices=(*TABLES, *FIGURES), help="of tables, or of figures")
    parser.add_argument("out", metavar="OUT", help="results, in a folder or an object store")
    given = parser.parse_args(words)
    return [given.out, "--export", given.format]


if __name__ == "__main__":
    sys.exit(main())

"""``python -m dashboards OUT``: renders a study's report from its store, or compares studies."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from metakd import __version__
from metakd.endings import Ending, Parser
from metakd.extras import require

if TYPE_CHECKING:
    from metakd.dashboards.live import Place

COMPARISON_FILE = "comparison.html"
WATCH_S = 10
STOPPED = "Stopped. The last page that was written stays."
FIGURES_FOLDER = "figures"
TABLES_FOLDER = "tables"
FIGURES = ("svg", "png")
TABLES = ("csv", "latex")


def main(argv: Sequence[str] | None = None, prog: str = "python -m metakd.dashboards") -> int:
    """Runs the command and returns its exit code.

    0: done. 2: there is nothing to render, in one line. 3: a fault of its own, likewise.

    Args:
        argv: The words after the command's name; None takes those of the process.
        prog: What ``--help`` calls the command.
    """
    with Ending(STOPPED) as ending:
        given = _parser(prog).parse_args(argv)
        require("plotly", "a report")
        ending.out = Path(given.out)
        _run(given)
    return ending.code


def _run(given: argparse.Namespace) -> None:
    # Plotly, pandas and scipy take seconds to import: --help and mistakes must not wait for them.
    from metakd.analysis.summarise import summarise
    from metakd.dashboards.live import opened, watch
    from metakd.dashboards.side_by_side import write_comparison

    with ExitStack() as places:
        place = places.enter_context(opened(given.out))
        if given.compare:
            compared = [place, *(places.enter_context(opened(other)) for other in given.compare)]
            studies = [(each.name, summarise(each.out)) for each in compared]
            file = given.output or place.out / COMPARISON_FILE
            print(place.publish(write_comparison(file, studies)))
        elif given.watch:
            watch(place, given.output, given.watch)
        else:
            _render(place, given)


def _render(place: "Place", given: argparse.Namespace) -> None:
    from metakd.analysis.summarise import summarise, write_summary
    from metakd.dashboards.export import export_figures
    from metakd.dashboards.report import write_report
    from metakd.dashboards.tables import export_tables

    summary = summarise(place.out)
    if given.output is None:
        place.publish(write_summary(place.out, summary))
    path = write_report(place.out, summary, given.output)
    print(place.publish(path))
    if given.export in FIGURES:
        files = export_figures(summary, path.parent / FIGURES_FOLDER, given.export)
    elif given.export:
        files = export_tables(place.out, summary, path.parent / TABLES_FOLDER, given.export)
    else:
        files = []
    for file in files:
        print(place.publish(file))


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of seconds, 1 or more")
    return int(text)


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Renders the HTML report of a study: one file that opens offline.",
    )
    parser.add_argument("--version", action="version", version=f"metakd {__version__}")
    parser.add_argument(
        "out", metavar="OUT", help="the study's results folder, or their place in an object store"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write the page, leaving OUT untouched "
        f"(default: OUT/report.html, with --compare OUT/{COMPARISON_FILE})",
    )
    one_of = parser.add_mutually_exclusive_group()
    one_of.add_argument(
        "--compare",
        nargs="+",
        metavar="OUT2",
        help="make one page of OUT and these studies side by side instead",
    )
    one_of.add_argument(
        "--watch",
        type=_seconds,
        nargs="?",
        const=WATCH_S,
        metavar="SECONDS",
        help="render whenever results change, until all planned trials are there "
        f"(default: look every {WATCH_S} s)",
    )
    one_of.add_argument(
        "--export",
        choices=(*FIGURES, *TABLES),
        help=f"also write, beside the page, every figure into {FIGURES_FOLDER}/ (svg, png: needs "
        f"the extra [export]) or the results into {TABLES_FOLDER}/ (csv, latex)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

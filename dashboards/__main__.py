"""``python -m dashboards OUT``: renders a study's report from its store."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dashboards.report import write_report
from metakd.analysis.summarise import summarise, write_summary
from metakd.results.study import StoreError


def main(argv: Sequence[str] | None = None) -> int:
    """Renders a report; returns 0, or 2 with one line if there is nothing to render."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards", description="Renders the HTML report of a study."
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the study's results folder")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write (default: OUT/report.html)"
    )
    given = parser.parse_args(argv)
    try:
        summary = summarise(given.out)
        write_summary(given.out, summary)
        print(write_report(given.out, summary, given.output))
    except (StoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

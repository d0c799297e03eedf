"""Reports: a study's summary in, one self-contained HTML file out, and tables in the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from metakd.analysis.summary import Summary


def write_report(out: Path, summary: "Summary") -> Path:
    """Writes the report of a summary into its study's folder and returns its path."""
    # Plotly, pandas and scipy are for the end of a study: its command line answers without them.
    from metakd.dashboards import report

    return report.write_report(out, summary)


def print_verdict(console: "Console", summary: "Summary") -> None:
    """Prints the verdict of a summary, and its tables, into a terminal."""
    from metakd.dashboards import questions, terminal

    terminal.print_verdict(console, summary, questions.tables(summary))

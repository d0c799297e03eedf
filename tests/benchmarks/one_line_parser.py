"""A command line whose mistakes are one line."""

import argparse
from pathlib import Path
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Exits with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--json FILE``, where a benchmark writes its numbers by ``measured.write_result``."""
    parser.add_argument("--json", type=_result_file, metavar="FILE", help="where to write numbers")


def _result_file(text: str) -> Path:
    path = Path(text)
    # Before minutes of measuring, not after them.
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder, or lies in none")
    return path

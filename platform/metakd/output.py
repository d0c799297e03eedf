"""Text for streams that cannot show all of it: other encodings than UTF-8, closed pipes."""

import codecs
import contextlib
import io
import os
import sys
import unicodedata

TRANSLITERATE = "metakd.transliterate"
SPELLED = {
    **{"τ": "tau", "α": "alpha", "θ": "theta", "φ": "phi", "Δ": "delta", "σ": "sigma"},
    **{"−": "-", "–": "-", "—": "-", "×": "x", "±": "+/-", "·": "-", "→": "->", "≤": "<="},
    **{"≥": ">=", "≈": "~", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'"},
    **{"┃": "|", "│": "|", "━": "-", "─": "-", "╸": "-", "╺": "-", "•": "*", "✓": "ok"},
}
"""How the project's own signs are written in ASCII."""


def prepare_streams() -> None:
    """Lets stdout and stderr spell in ASCII what their encoding lacks, where Python would raise."""
    codecs.register_error(TRANSLITERATE, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=TRANSLITERATE)


def flush_output() -> None:
    """Writes out what is printed; a stream without a reader goes nowhere from here on.

    Python itself would complain at its exit of what it still holds for such a one.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # closed before the start
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def say(line: str, to_errors: bool = False) -> None:
    """Prints one line, if it still has a reader.

    Args:
        line: The line; breaks in it become spaces.
        to_errors: Whether it goes to stderr.
    """
    try:
        print(" ".join(line.splitlines()), file=sys.stderr if to_errors else sys.stdout, flush=True)
    except (OSError, ValueError):
        flush_output()


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_spelled(sign) for sign in text), error.end


def _spelled(sign: str) -> str:
    if sign in SPELLED:
        return SPELLED[sign]
    # Of an accented letter the letter remains.
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return plain or "?"

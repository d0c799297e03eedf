"""The one error that a command line catches: a user can mend it."""

import re

BREAK = re.compile(r"\s*[\n\r]\s*")
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class UserError(ValueError):
    """Something that was given cannot be done: one line says what, and how to mend it."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """Returns a text without breaks of lines, what a terminal cannot show written as escapes."""
    return UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], BREAK.sub(" ", text.strip()))

"""The terminal that a study prints to: text as it is, never read as markup or emoji codes."""

from rich.console import Console

from metakd.output import flush_output

WIDTH = 120
"""Away from a terminal nothing says how wide a line may be: the tables need this much."""


class PlainConsole(Console):
    """Prints brackets and colons as they are: paths, errors and names of others hold them.

    Where it has no reader any more (``| head -1``), the study goes on in silence.
    """

    def __init__(self) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=True)
        if not self.is_terminal:
            self.width = WIDTH

    def on_broken_pipe(self) -> None:
        """Prints nothing from here on."""
        self.quiet = True
        flush_output()

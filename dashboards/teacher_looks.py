"""How each of several teachers is drawn: one colour and one dash, wherever it stands."""

from dashboards.theme import Look
from metakd.analysis.summary import Summary

# Hues that no strategy of several teachers has come first.
LOOKS = (
    ("@teal", "solid", "circle"),
    ("@mustard", "dash", "square"),
    ("@violet", "dot", "diamond"),
    ("@rose", "dashdot", "triangle-up"),
    ("@forest", "solid", "star"),
    ("@sky", "dash", "hexagon"),
    ("@brown", "dot", "cross"),
    ("@magenta", "dashdot", "pentagon"),
)


def teacher_looks(summary: Summary) -> dict[str, Look]:
    """Returns a look for each teacher, in the order in which the study names them."""
    asked = [] if summary.ensemble is None else [t.name for t in summary.ensemble.teachers]
    asked += [name for found in summary.weights for name in found.teachers]
    looks = {}
    for index, name in enumerate(dict.fromkeys(asked)):
        colour, dash, symbol = LOOKS[index % len(LOOKS)]
        looks[name] = Look(name, colour, symbol, dash)
    return looks

"""Packages that not everyone installs, by the extra of metakd that brings them."""

from importlib.util import find_spec

from metakd.errors import UserError

EXTRA_OF = {
    "kaleido": "export",
    "transformers": "text",
    "datasets": "hf",
    "wandb": "wandb",
    "mlflow": "mlflow",
    **dict.fromkeys(("jinja2", "markupsafe", "plotly", "pyarrow", "rich", "scipy"), "report"),
}
"""Of the packages that are imported; all others come with ``[study]``."""


class MissingPackageError(UserError):
    """A package is not installed; the message names the extra that brings it."""


def how_to_install(package: str) -> str:
    """Returns the command that installs a package, by metakd's extra for it."""
    return f"pip install 'metakd[{EXTRA_OF.get(package, 'study')}]'"


def require(package: str, purpose: str) -> None:
    """Raises ``MissingPackageError`` if a package is not installed.

    Args:
        package: As it is imported.
        purpose: What needs it: the beginning of the line.
    """
    if find_spec(package) is None:
        raise MissingPackageError(f"{purpose} needs {package}: {how_to_install(package)}")

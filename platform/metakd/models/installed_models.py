"""Models that installed packages register, as entry points of the group ``metakd.models``.

Such a name is short for ``MODULE:FACTORY``, and a plan has that in its place, with the version of
its code: a model is the same however it was named.
"""

from metakd.installed import installed_names, installed_place, require_clear
from metakd.models.architectures import CATALOGUE

GROUP = "metakd.models"


def model_names() -> tuple[str, ...]:
    """Returns the names of models, without timm's and without places: metakd's, and installed."""
    return (*CATALOGUE, *(name for name in installed_names(GROUP) if name not in CATALOGUE))


def with_place(name: str) -> str:
    """Returns a model's name with the place of what an installed package registers; else as it is.

    Raises:
        OwnCodeError: If two packages register it.
    """
    model, comma, options = name.partition(",")
    if model in CATALOGUE:
        return name
    require_clear(GROUP, model)
    place = installed_place(GROUP, model)
    return name if place is None else f"{place}{comma}{options}"

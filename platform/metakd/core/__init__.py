"""Plain PyTorch: losses, temperatures, the look-ahead hypergradient, distillers, the loop.

Nothing here knows of Ray, Parquet or Plotly; any training loop can use it. ``MetaTemperature`` is
the drop-in; ``lookahead`` is for meta-learning something else at a student's logits.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metakd.core.meta_temperature import MetaTemperature

__all__ = ["MetaTemperature"]


def __getattr__(name: str) -> object:
    # PyTorch takes seconds to import, and recipes and bounds of temperatures need none of it.
    if name == "MetaTemperature":
        from metakd.core.meta_temperature import MetaTemperature

        return MetaTemperature
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Plain PyTorch: losses, temperatures, the look-ahead hypergradient, distillers, the loop.

Nothing here knows of Ray, Parquet or Plotly; any training loop can use it. ``MetaTemperature`` is
the drop-in; ``hypergradient`` is for whoever meta-learns something else at a student's logits.
"""

from metakd.core.meta_temperature import MetaTemperature

__all__ = ["MetaTemperature"]

r"""Learned temperatures: a drop-in for any loop, and the measurements behind its defaults.

``MetaTemperature`` holds the loss (``tempered_loss``), remembers the steps that look-aheads need
(``watch``), and moves the temperatures by a rule: ``search``, which has no start, or ``gradient``,
MKD's after the abstract of arXiv 2202.07940. What each setting means stands in ``config``.

@@EVIDENCE@@
"""

from metakd.core.meta_temperature.config import MetaData, MetaTemperatureConfig
from metakd.core.meta_temperature.cost import meta_step_equivalents
from metakd.core.meta_temperature.module import MetaStep, MetaTemperature

__all__ = [
    "MetaData",
    "MetaStep",
    "MetaTemperature",
    "MetaTemperatureConfig",
    "meta_step_equivalents",
]

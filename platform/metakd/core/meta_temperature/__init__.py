"""Learned temperatures."""

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

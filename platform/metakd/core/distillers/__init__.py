"""How a student is taught: one method a file, behind one interface.

=====  ==================================================================  =================
name   what it does                                                        configuration
=====  ==================================================================  =================
ce     cross-entropy on the labels, no teacher                             CrossEntropyConfig
kd     distillation at fixed temperatures (Hinton et al. 2015)             KDConfig
mkd    distillation at learned temperatures (MKD-style, after the          MKDConfig
       abstract of arXiv 2202.07940)
=====  ==================================================================  =================
"""

from metakd.core.distillers.base import Distiller
from metakd.core.distillers.ce import CrossEntropyConfig
from metakd.core.distillers.kd import KDConfig
from metakd.core.distillers.mkd import MKDConfig

DistillerConfig = CrossEntropyConfig | KDConfig | MKDConfig

CONFIGS: dict[str, type[CrossEntropyConfig] | type[KDConfig] | type[MKDConfig]] = {
    config.method: config for config in (CrossEntropyConfig, KDConfig, MKDConfig)
}

__all__ = [
    "CONFIGS",
    "CrossEntropyConfig",
    "Distiller",
    "DistillerConfig",
    "KDConfig",
    "MKDConfig",
]

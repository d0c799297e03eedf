"""How a student is taught: one method a file, behind one interface.

=============  ============================================================  =================
name           what it does                                                  configuration
=============  ============================================================  =================
ce             cross-entropy on the labels, no teacher                       CrossEntropyConfig
kd             distillation at fixed temperatures (Hinton et al. 2015)       KDConfig
kd_scale_free  the same, the gradient as large at any τ as at τ = 4          ScaleFreeKDConfig
kd_schedule    the same at temperatures that change with the epoch           KDScheduleConfig
kd_cosine      the same at a temperature that follows a cosine over the run  KDCosineConfig
kd_std         KD at each sample's own temperatures, its gradient as large   KDStdConfig
               as at τ = 4: the control of logit_std and normkd
logit_std      KD of logits standardised per sample (arXiv 2403.01427)       LogitStdConfig
normkd         the same, each sample by its temperature² (arXiv 2308.00520)  NormKDConfig
ttm            only the teacher tempered (arXiv 2402.11148)                  TTMConfig
wttm           the same, smooth samples counting more                        WTTMConfig
dkd            target and other classes taught apart (arXiv 2203.08679)      DKDConfig
rld            the teacher corrected by the labels (arXiv 2408.07703)        RLDConfig
ctkd           a temperature learned against the student (arXiv 2211.16231)  CTKDConfig
mkd            temperatures that descend the hypergradient (MKD-style,       MKDConfig
               after the abstract of arXiv 2202.07940)
align          temperatures by their mean alignment score                    AlignConfig
mean_losses    several teachers that count alike                             MeanLossesConfig
mean_logits    one teacher, the mean of several                              MeanLogitsConfig
camkd          several, by their confidence (arXiv 2201.00007)               CAMKDConfig
mmkd           several, by learned weights (arXiv 2306.06634)                MMKDConfig
metadistil     a teacher that learns to teach (arXiv 2106.04570)             MetaDistilConfig
=============  ============================================================  =================

``metakd.testing.check_distiller`` says whether a further one keeps to the interface.
"""

from metakd.core.distillers.ce import CrossEntropyConfig
from metakd.core.distillers.ctkd import CTKDConfig
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.dkd import DKDConfig
from metakd.core.distillers.kd import KDConfig, ScaleFreeKDConfig
from metakd.core.distillers.kd_cosine import KDCosineConfig
from metakd.core.distillers.kd_schedule import KDScheduleConfig, scheduled
from metakd.core.distillers.kd_std import KDStdConfig
from metakd.core.distillers.logit_std import LogitStdConfig
from metakd.core.distillers.metadistil import MetaDistilConfig
from metakd.core.distillers.mkd import AlignConfig, MKDConfig
from metakd.core.distillers.mmkd import MMKDConfig
from metakd.core.distillers.normkd import NormKDConfig
from metakd.core.distillers.rld import RLDConfig
from metakd.core.distillers.several import (
    CAMKDConfig,
    MeanLogitsConfig,
    MeanLossesConfig,
    SeveralTeachersConfig,
)
from metakd.core.distillers.ttm import TTMConfig, WTTMConfig

_CONFIGS: tuple[type[DistillerConfig], ...] = (
    CrossEntropyConfig,
    KDConfig,
    ScaleFreeKDConfig,
    KDScheduleConfig,
    KDCosineConfig,
    KDStdConfig,
    LogitStdConfig,
    NormKDConfig,
    TTMConfig,
    WTTMConfig,
    DKDConfig,
    RLDConfig,
    CTKDConfig,
    MKDConfig,
    AlignConfig,
    MeanLossesConfig,
    MeanLogitsConfig,
    CAMKDConfig,
    MMKDConfig,
    MetaDistilConfig,
)
CONFIGS: dict[str, type[DistillerConfig]] = {config.method: config for config in _CONFIGS}

__all__ = [
    "CONFIGS",
    "AlignConfig",
    "CAMKDConfig",
    "CTKDConfig",
    "CrossEntropyConfig",
    "DKDConfig",
    "Distiller",
    "DistillerConfig",
    "KDConfig",
    "KDCosineConfig",
    "KDScheduleConfig",
    "KDStdConfig",
    "LogitStdConfig",
    "MKDConfig",
    "MMKDConfig",
    "MeanLogitsConfig",
    "MeanLossesConfig",
    "MetaDistilConfig",
    "NormKDConfig",
    "RLDConfig",
    "ScaleFreeKDConfig",
    "SeveralTeachersConfig",
    "TTMConfig",
    "WTTMConfig",
    "scheduled",
]

"""Every way to choose a temperature, or to weigh teachers: one small file each, one line here.

A new strategy is a file with a :class:`~metakd.study.strategies.strategy.Strategy` and a line here;
``metakd.testing.strategy.check_strategy`` says whether it keeps the rules.
"""

from metakd.registry import Registry
from metakd.study.strategies.strategy import Choices, Leg, Search, Strategy, StrategyError

_PLACES = {
    "ce": "ce:CE",
    "fixed": "fixed:FIXED",
    "grid": "grid:GRID",
    "grid2d": "grid2d:GRID2D",
    "grid-scale-free": "grid:SCALE_FREE",
    "random": "random_search:RANDOM",
    "optuna": "tpe:OPTUNA",
    "optuna+asha": "asha:OPTUNA_ASHA",
    "grid+asha": "asha:GRID_ASHA",
    "pbt": "pbt:PBT",
    "ctkd": "ctkd:CTKD",
    "logit_std": "logit_std:LOGIT_STD",
    "dkd": "dkd:DKD",
    "meta": "meta:META",
    "meta-starts": "meta:STARTS",
    "meta-held-out": "meta:HELD_OUT",
    "meta-shared": "meta:SHARED",
    "meta-per-class": "meta:PER_CLASS",
    "meta-per-sample": "meta:PER_SAMPLE",
    "meta-alpha": "meta:WITH_ALPHA",
    "align": "align:ALIGN",
    "align-shared": "align:SHARED",
    "metadistil": "metadistil:METADISTIL",
    "metadistil-no-pilot": "metadistil:NO_PILOT",
    "metadistil-own-quiz": "metadistil:OWN_QUIZ",
    "metadistil+tau": "metadistil:WITH_TEMPERATURES",
    "metadistil-reference": "metadistil:REFERENCE",
    "single": "several:SINGLE",
    "mean_losses": "several:MEAN_LOSSES",
    "mean_logits": "several:MEAN_LOGITS",
    "camkd": "several:CAMKD",
    "mean_features": "several:MEAN_FEATURES",
    "mmkd": "several:MMKD",
    "mmkd-logits": "several:MMKD_LOGITS",
    "mmkd-tau": "several:MMKD_TAU",
    "mmkd+tau": "several:MMKD_WITH_TEMPERATURES",
    "mmkd-reference": "several:MMKD_REFERENCE",
}
STRATEGIES: Registry[Strategy] = Registry(
    {name: f"metakd.study.strategies.{place}" for name, place in _PLACES.items()}
)

__all__ = ["STRATEGIES", "Choices", "Leg", "Search", "Strategy", "StrategyError"]

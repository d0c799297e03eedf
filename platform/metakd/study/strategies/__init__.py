"""Every way to choose a temperature, or to weigh teachers: one small file each, one line here.

A new strategy is a file with a :class:`~metakd.study.strategies.strategy.Strategy` and a line here;
``metakd.testing.strategy.check_strategy`` says whether it keeps the rules.
"""

from metakd.study.strategies.asha import GRID_ASHA, OPTUNA_ASHA
from metakd.study.strategies.ce import CE
from metakd.study.strategies.ctkd import CTKD
from metakd.study.strategies.dkd import DKD
from metakd.study.strategies.fixed import FIXED
from metakd.study.strategies.grid import GRID
from metakd.study.strategies.grid2d import GRID2D
from metakd.study.strategies.logit_std import LOGIT_STD
from metakd.study.strategies.meta import META, VARIANTS
from metakd.study.strategies.metadistil import METADISTIL
from metakd.study.strategies.pbt import PBT
from metakd.study.strategies.random_search import RANDOM
from metakd.study.strategies.several import (
    CAMKD,
    MEAN_FEATURES,
    MEAN_LOGITS,
    MEAN_LOSSES,
    MMKD,
    SINGLE,
)
from metakd.study.strategies.strategy import Choices, Leg, Search, Strategy, StrategyError
from metakd.study.strategies.tpe import OPTUNA

STRATEGIES: dict[str, Strategy] = {
    "ce": CE,
    "fixed": FIXED,
    "grid": GRID,
    "grid2d": GRID2D,
    "random": RANDOM,
    "optuna": OPTUNA,
    "optuna+asha": OPTUNA_ASHA,
    "grid+asha": GRID_ASHA,
    "pbt": PBT,
    "ctkd": CTKD,
    "logit_std": LOGIT_STD,
    "dkd": DKD,
    "meta": META,
    **VARIANTS,
    **METADISTIL,
    "single": SINGLE,
    "mean_losses": MEAN_LOSSES,
    "mean_logits": MEAN_LOGITS,
    "camkd": CAMKD,
    "mean_features": MEAN_FEATURES,
    **MMKD,
}

BASIC = ("ce", "fixed", "grid", "meta")
"""Those whose runs a study's record names; of the others, ``searches.parquet`` says what they ran.
"""

__all__ = ["BASIC", "STRATEGIES", "Choices", "Leg", "Search", "Strategy", "StrategyError"]

"""Decoupled distillation, at its published weights."""

from metakd.core.distillers import DKDConfig
from metakd.study.strategies.strategy import Strategy, at_once

DKD = Strategy(
    "decoupled distillation (DKD)",
    at_once(lambda _: [DKDConfig()]),
    min_classes=DKDConfig().min_classes,
)

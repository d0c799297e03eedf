"""Logit standardisation, at its published weights."""

from metakd.core.distillers import LogitStdConfig
from metakd.study.strategies.strategy import Strategy, at_once

LOGIT_STD = Strategy(
    "standardised logits",
    at_once(lambda _: [LogitStdConfig()]),
    min_classes=LogitStdConfig().min_classes,
)

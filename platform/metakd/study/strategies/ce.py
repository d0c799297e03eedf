"""No teacher: the student learns from the labels alone."""

from metakd.core.distillers import CrossEntropyConfig
from metakd.study.strategies.strategy import Strategy, at_once

CE = Strategy("no teacher", at_once(lambda _: [CrossEntropyConfig()]), asks_teacher=False)

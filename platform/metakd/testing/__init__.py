"""What anybody's own method can be held to: run the checks in a test of yours.

>>> from metakd.core.distillers import KDConfig
>>> from metakd.testing import check_distiller
>>> check_distiller(KDConfig(tau_s=2.0))

A check that fails raises ``AssertionError`` with a sentence that names it.
``check_equal_on_ranks`` needs several processes, and is called in each of them.
"""

from metakd.testing.distiller import check_distiller, check_equal_on_ranks

__all__ = ["check_distiller", "check_equal_on_ranks"]

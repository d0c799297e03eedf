"""What a grid of k temperatures reaches, exactly, from the runs of all K."""

from math import comb

import numpy as np

from metakd.analysis.rows import Matrix


def expected_best_of_k(ranked_test: Matrix, k: int) -> Matrix:
    """Returns the mean test accuracy of validation's best of k, over all subsets of k.

    The temperature of validation rank r (0 is best) wins a subset when it is in it and no better
    one is: C(K − 1 − r, k − 1) of the C(K, k) subsets. For k = K that is the grid's winner.

    Args:
        ranked_test: Test accuracies in the order of validation, best first,
            ``[rank, setting, seed]``; NaN anywhere makes the result NaN there.
        k: How many temperatures, in [1, K].

    Returns:
        ``[setting, seed]``.
    """
    K = len(ranked_test)
    wins = [comb(K - 1 - rank, k - 1) / comb(K, k) for rank in range(K)]
    return np.tensordot(np.asarray(wins), ranked_test, axes=1)

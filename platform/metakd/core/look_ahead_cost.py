"""What passing a step again costs, in forward and backward passes of the same samples."""

from metakd.core.hypergradient import Estimator

# What the pass along the look-ahead's direction takes, as measured on ResNet-20
# (tests/benchmarks/meta_step.py, one CPU core, batch 64), rounded. Counted in operations a pass of
# dual numbers is two forward passes, 2/3; PyTorch does it in more and smaller ones.
PASS_EQUIVALENTS: dict[Estimator, float] = {
    "jvp": 1.25,
    "finite_difference": 1.0,
    "double_backward": 4.0,
}
# The same pass with a Hessian product, as measured on ResNet-8x4
# (tests/benchmarks/teacher_weights_step.py, likewise); a finite difference takes two passes for it.
HESSIAN_EQUIVALENTS: dict[Estimator, float] = {
    "jvp": 4.0,
    "finite_difference": 2.0,
    "double_backward": 4.0,
}


def reverse_equivalents(estimator: Estimator, steps: int) -> float:
    """Returns the cost of going back through so many steps, in passes of one step's samples."""
    return PASS_EQUIVALENTS[estimator] + (steps - 1) * HESSIAN_EQUIVALENTS[estimator]

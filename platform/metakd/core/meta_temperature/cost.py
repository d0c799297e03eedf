"""What a look-ahead costs, in forward and backward passes of one training batch."""

from metakd.core.meta_temperature.config import MetaTemperatureConfig

# What the pass along the look-ahead's direction takes for a whole batch, as measured on ResNet-20
# (tests/benchmarks/meta_step.py, one CPU core, batch 64), rounded. Counted in operations a pass of
# dual numbers is two forward passes, 2/3; PyTorch does it in more and smaller ones.
PASS_EQUIVALENTS = {"jvp": 1.25, "finite_difference": 1.0, "double_backward": 4.0}
HESSIAN_EQUIVALENTS = 2.0


def meta_step_equivalents(
    config: MetaTemperatureConfig, batch_size: int, meta_samples: int
) -> float:
    """Returns the cost of one look-ahead.

    Args:
        config: Its estimator, its share of the batch, its horizon.
        batch_size: Samples of a training batch, B.
        meta_samples: Samples that the meta loss is taken over.
    """
    share = config.samples_of(batch_size) / batch_size
    passes = PASS_EQUIVALENTS[config.estimator] + (config.horizon - 1) * HESSIAN_EQUIVALENTS
    return meta_samples / batch_size + share * passes

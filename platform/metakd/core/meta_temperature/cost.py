"""What a look-ahead costs, in forward and backward passes of one training batch."""

from metakd.core.meta_temperature.config import MetaTemperatureConfig

# A forward and a backward pass are one step; a forward pass alone a third of it. A pass of dual
# numbers and two forward passes are both two forward passes; a double backward adds to a forward
# and a backward pass one more backward through each.
PASS_EQUIVALENTS = {"jvp": 2 / 3, "finite_difference": 2 / 3, "double_backward": 7 / 3}
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

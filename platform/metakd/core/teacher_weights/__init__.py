"""Weights of several teachers that networks give each sample, learned by look-aheads.

=================  =======================================================================
``config``         what is chosen, and what it costs
``network``        Linear to half, ReLU, Linear to K, softmax (MMKD, arXiv 2306.06634)
``network_input``  what it reads: logits, or the feature maps of the student and all teachers
``learned``        φ: the networks, perhaps temperatures too, and the rules that move them
``tally``          mean weights over an epoch, among all, right, wrong, and by class
=================  =======================================================================
"""

from metakd.core.teacher_weights.config import TeacherWeightsConfig
from metakd.core.teacher_weights.learned import LearnedWeights
from metakd.core.teacher_weights.network import WeightNetwork, feature_input, logits_input
from metakd.core.teacher_weights.tally import TeacherWeights, WeightsTally

__all__ = [
    "LearnedWeights",
    "TeacherWeights",
    "TeacherWeightsConfig",
    "WeightNetwork",
    "WeightsTally",
    "feature_input",
    "logits_input",
]

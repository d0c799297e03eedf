"""What is chosen about learned weights of teachers."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from metakd.core.hard_buffer import DrawError
from metakd.core.lookahead.look_aheads import (
    LookAheads,
    require,
    require_one_of,
    reverse_equivalents,
)
from metakd.core.meta_temperature.config import require_tau_range
from metakd.core.teacher_weights.network import FeatureInput, Start

Learns = Literal["weights", "temperatures", "both"]
LookAheadForm = Literal["one_step", "three_step"]

PILOT_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class TeacherWeightsConfig(LookAheads):
    """Learned weights of teachers: what is learned, from what, and what look-aheads reach over."""

    learns: Learns = "weights"
    """What look-aheads learn: weights, temperatures (of teachers that count alike), or both. Where
    temperatures are learned, tau_s and tau_t are not used: the alignment rule starts at the middle
    of tau_range."""
    look_ahead: LookAheadForm = "one_step"
    """What they reach back over: one_step is the student's own step, three_step those of MMKD's
    code, which are undone; it has no use for meta_data."""
    start: Start = "equal"
    """Where the weight networks start: at equal weights, or at random as in the code."""
    feature_input: FeatureInput = "pooled"
    """What the feature network reads: pooled features, gram (rows of length 1) or gram_raw. The
    Gram matrices tie it to one batch size: they need meta_fraction 1, and one worker to be what
    they are."""
    buffer_size: int = 256
    """Hard samples that three_step keeps."""
    meta_lr: float = 1e-3
    """Adam's rate on the networks."""
    meta_weight_decay: float = 0.0
    """L2 penalty on the networks inside Adam, at least 0."""
    tau_range: tuple[float, float] = (1.0, 16.0)
    """The range of the alignment rule, where temperatures are learned."""
    confidence: float = 0.25
    """The alignment rule's confidence, where temperatures are learned; above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of("learns", self.learns, get_args(Learns))
        require_one_of("look_ahead", self.look_ahead, get_args(LookAheadForm))
        require_one_of("start", self.start, get_args(Start))
        require_one_of("feature_input", self.feature_input, get_args(FeatureInput))
        for name in ("meta_lr", "confidence", "buffer_size"):
            value = getattr(self, name)
            require(0 < value < math.inf, f"{name} must be above 0", name, value)
        decay = self.meta_weight_decay
        require(
            0 <= decay < math.inf,
            "meta_weight_decay must be at least 0",
            "meta_weight_decay",
            decay,
        )
        require_tau_range(self.tau_range)
        if self.is_piloted:
            rule = "three_step has steps of its own to reach back over, so horizon must be 1"
            require(self.horizon == 1, rule, "horizon", self.horizon)

    @property
    def is_piloted(self) -> bool:
        """Whether look-aheads take steps of their own, and undo them."""
        return self.look_ahead == "three_step"

    @property
    def learns_weights(self) -> bool:
        """Whether there are weight networks."""
        return self.learns != "temperatures"

    @property
    def learns_temperatures(self) -> bool:
        """Whether there are learned temperatures."""
        return self.learns != "weights"

    def require_batch(self, batch_size: int) -> None:
        """Raises ``DrawError`` unless the hard buffer can hold what a look-ahead draws of it."""
        drawn = self.samples_of(batch_size)
        if self.is_piloted and drawn > self.buffer_size:
            raise DrawError(
                f"a look-ahead draws {drawn} samples of a hard buffer that holds "
                f"{self.buffer_size}: raise buffer_size to {drawn} or more, or lower meta_fraction"
            )

    def step_equivalents(self, batch_size: int, meta_samples: int) -> float:
        """Returns what one look-ahead costs, in forward and backward passes of a training batch."""
        if not self.is_piloted:
            return super().step_equivalents(batch_size, meta_samples)
        share = self.samples_of(batch_size) / batch_size
        reverse = reverse_equivalents(self.estimator, PILOT_STEPS)
        return meta_samples / batch_size + share * (PILOT_STEPS + reverse)

"""What is chosen about learned temperatures, one class for each rule, and its measured defaults."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from metakd.core.lookahead.look_aheads import LookAheads, require, require_one_of
from metakd.core.losses import Scale
from metakd.core.temperatures import Form, require_form, require_start

RuleName = Literal["gradient", "alignment"]


@dataclass(frozen=True, kw_only=True)
class LearnedTemperatureConfig(LookAheads):
    """What both rules have in common. ``metakd.core.meta_temperature`` has the measurements."""

    rule: ClassVar[RuleName]

    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""
    form: Form = "separate"
    """What is learned: separate, shared, per_class or per_sample temperatures."""
    scale: Scale = "free"
    """What keeps the size of the teacher's gradient: free, product (Hinton's) or detached."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.alpha <= 1, "alpha must be in [0, 1]", "alpha", self.alpha)
        require_one_of("scale", self.scale, get_args(Scale))


@dataclass(frozen=True, kw_only=True)
class GradientConfig(LearnedTemperatureConfig):
    """Temperatures that descend the look-ahead hypergradient: MKD-style, after its abstract."""

    rule = "gradient"

    tau_s: float = 4.0
    """Where the student's temperature starts, in [0.25, 64]."""
    tau_t: float = 4.0
    """Where the teacher's temperature starts, in [0.25, 64]."""
    learn_alpha: bool = False
    """Whether the weight of the teacher's term is learned too, from ``alpha`` on."""
    num_classes: int | None = None
    """C, for per_class alone."""
    meta_lr: float = 0.05
    """Adam's rate on φ: about the relative change of τ in one meta step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_form(self.form, self.num_classes)
        require_start("tau_s", self.tau_s)
        require_start("tau_t", self.tau_t)
        if self.form == "shared" and self.tau_s != self.tau_t:
            raise ValueError(
                f"a shared temperature has one start, got tau_s={self.tau_s}, tau_t={self.tau_t}"
            )
        require(self.meta_lr > 0, "meta_lr must be above 0", "meta_lr", self.meta_lr)


@dataclass(frozen=True, kw_only=True)
class AlignmentConfig(LearnedTemperatureConfig):
    """Temperatures set by the mean alignment score of all temperatures of a range; no start."""

    rule = "alignment"

    tau_range: tuple[float, float] = (1.0, 16.0)
    """The lowest and the highest temperature that are scored, in [0.25, 64]."""
    confidence: float = 0.25
    """How fast the weights concentrate on the temperatures with the highest mean score, above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in ("separate", "shared"):
            raise ValueError(
                "the alignment rule learns separate or shared temperatures, got "
                f"form={self.form!r}: take rule='gradient'"
            )
        require_tau_range(self.tau_range)
        require(self.confidence > 0, "confidence must be above 0", "confidence", self.confidence)


def require_tau_range(tau_range: tuple[float, float]) -> None:
    """Raises ``ValueError`` unless both ends are in [0.25, 64] and the second is larger."""
    low, high = tau_range
    require_start("tau_range[0]", low)
    require_start("tau_range[1]", high)
    require(low < high, "tau_range must rise", "tau_range", tau_range)


CONFIG_OF_RULE: dict[RuleName, type[GradientConfig] | type[AlignmentConfig]] = {
    "gradient": GradientConfig,
    "alignment": AlignmentConfig,
}

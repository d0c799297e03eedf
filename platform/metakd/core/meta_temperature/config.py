"""What is chosen about learned temperatures, and its measured defaults."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from metakd.core.look_aheads import LookAheads, require, require_one_of
from metakd.core.losses import Scale
from metakd.core.temperatures import Form, require_form, require_start

RuleName = Literal["search", "gradient"]
SEARCHABLE: tuple[Form, ...] = ("separate", "shared")


@dataclass(frozen=True, kw_only=True)
class MetaTemperatureConfig(LookAheads):
    """Learned temperatures: their form, their rule, and how much is spent on them.

    ``metakd.core.meta_temperature`` has the measurements behind the defaults.
    """

    tau_s: float = 4.0
    """Where the gradient rule starts the student's temperature, in [0.25, 64]."""
    tau_t: float = 4.0
    """Where the gradient rule starts the teacher's temperature, in [0.25, 64]."""
    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""
    learn_alpha: bool = False
    """Whether the weight is learned too, from ``alpha`` on; needs the gradient rule."""
    form: Form = "separate"
    """What is learned: separate, shared, per_class or per_sample temperatures."""
    num_classes: int | None = None
    """C, for per_class alone."""
    rule: RuleName | None = None
    """search judges all temperatures of a range at once, and has no start; gradient descends the
    hypergradient by Adam. None: search, where the form allows it."""
    scale: Scale = "free"
    """What keeps the size of the teacher's gradient: free, product (Hinton's) or detached."""
    search_range: tuple[float, float] = (1.0, 16.0)
    """The temperatures that search judges."""
    confidence: float = 0.25
    """How fast search makes up its mind, above 0."""
    meta_lr: float = 0.05
    """Adam's rate on φ for the gradient rule: the relative change of τ in one meta step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_form(self.form, self.num_classes)
        require_start("tau_s", self.tau_s)
        require_start("tau_t", self.tau_t)
        if self.form == "shared" and self.tau_s != self.tau_t:
            raise ValueError(
                f"a shared temperature has one start, got tau_s={self.tau_s}, tau_t={self.tau_t}"
            )
        require(0 <= self.alpha <= 1, "alpha must be in [0, 1]", "alpha", self.alpha)
        require(self.meta_lr > 0, "meta_lr must be above 0", "meta_lr", self.meta_lr)
        require(self.confidence > 0, "confidence must be above 0", "confidence", self.confidence)
        low, high = self.search_range
        require_start("search_range[0]", low)
        require_start("search_range[1]", high)
        require(low < high, "search_range must rise", "search_range", self.search_range)
        require_one_of("scale", self.scale, get_args(Scale))
        if self.rule is not None:
            require_one_of("rule", self.rule, get_args(RuleName))
        if self.rule == "search" and not self._is_searchable:
            raise ValueError(
                "search learns separate or shared temperatures at a fixed alpha; for "
                f"form={self.form!r}, learn_alpha={self.learn_alpha} take rule='gradient'"
            )

    @property
    def effective_rule(self) -> RuleName:
        """The rule, chosen by the form where none was named."""
        return self.rule or ("search" if self._is_searchable else "gradient")

    @property
    def start(self) -> tuple[float, float]:
        """Where (τ_s, τ_t) stand before the first look-ahead."""
        if self.effective_rule == "search":
            middle = math.sqrt(self.search_range[0] * self.search_range[1])
            return middle, middle
        return self.tau_s, self.tau_t

    @property
    def _is_searchable(self) -> bool:
        return self.form in SEARCHABLE and not self.learn_alpha

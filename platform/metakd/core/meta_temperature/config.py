"""What is chosen about learned temperatures, and its measured defaults."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from metakd.core.hypergradient import Estimator
from metakd.core.losses import Scale
from metakd.core.temperatures import Form, require_form, require_start

RuleName = Literal["search", "gradient"]
MetaData = Literal["meta", "train"]
SEARCHABLE: tuple[Form, ...] = ("separate", "shared")


@dataclass(frozen=True, kw_only=True)
class MetaTemperatureConfig:
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
    interval: int = 8
    """A look-ahead follows every so many steps of the student."""
    meta_fraction: float = 0.25
    """Share of the training batch that the look-ahead passes once more, in (0, 1]; the metakd loop
    takes meta batches of the same size."""
    horizon: int = 1
    """Steps of the student that a look-ahead reaches back over, 1 to 5; each beyond the first costs
    a Hessian product, about two passes of the look-ahead's share."""
    meta_data: MetaData = "meta"
    """What judges a look-ahead in the metakd loop: the held-out meta split, or the next training
    batch."""
    estimator: Estimator = "jvp"
    """How the look-ahead is differentiated; jvp and double_backward are exact, jvp is cheap."""

    def __post_init__(self) -> None:
        require_form(self.form, self.num_classes)
        require_start("tau_s", self.tau_s)
        require_start("tau_t", self.tau_t)
        if self.form == "shared" and self.tau_s != self.tau_t:
            raise ValueError(
                f"a shared temperature has one start, got tau_s={self.tau_s}, tau_t={self.tau_t}"
            )
        _require(0 <= self.alpha <= 1, "alpha must be in [0, 1]", "alpha", self.alpha)
        _require(self.meta_lr > 0, "meta_lr must be above 0", "meta_lr", self.meta_lr)
        _require(self.interval >= 1, "interval must be at least 1", "interval", self.interval)
        _require(self.confidence > 0, "confidence must be above 0", "confidence", self.confidence)
        _require(
            0 < self.meta_fraction <= 1,
            "meta_fraction must be in (0, 1]",
            "meta_fraction",
            self.meta_fraction,
        )
        _require(1 <= self.horizon <= 5, "horizon must be 1 to 5", "horizon", self.horizon)
        low, high = self.search_range
        require_start("search_range[0]", low)
        require_start("search_range[1]", high)
        _require(low < high, "search_range must rise", "search_range", self.search_range)
        for name, kind in (("scale", Scale), ("meta_data", MetaData), ("estimator", Estimator)):
            _require_one_of(name, getattr(self, name), get_args(kind))
        if self.rule is not None:
            _require_one_of("rule", self.rule, get_args(RuleName))
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

    def samples_of(self, batch_size: int) -> int:
        """Returns how many samples of a batch a look-ahead sees; BatchNorm needs two."""
        return min(batch_size, max(2, round(self.meta_fraction * batch_size)))

    def look_aheads(self, steps: int) -> int:
        """Returns how many look-aheads a run of so many steps has."""
        return max(0, 1 + (steps - self.horizon) // self.interval)

    def remembers(self, step: int) -> bool:
        """Says whether step 0, 1, ... belongs to a look-ahead, and has to be remembered."""
        return (self.horizon - 1 - step) % self.interval < self.horizon

    def is_due(self, step: int) -> bool:
        """Says whether a look-ahead follows step 0, 1, ..."""
        return step >= self.horizon - 1 and (self.horizon - 1 - step) % self.interval == 0

    def look_ahead_after(self, step: int) -> int:
        """Returns the first step, this one or later, that a look-ahead follows."""
        first = max(step, self.horizon - 1)
        return first + (self.horizon - 1 - first) % self.interval


def _require(holds: bool, rule: str, name: str, value: object) -> None:
    if not holds:
        raise ValueError(f"{rule}, got {name}={value}")


def _require_one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {name}={value!r}")

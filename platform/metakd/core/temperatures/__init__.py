"""Learned temperatures: one form a file, behind one interface.

==========  ==============================================  ===================
name        what is learned                                 numbers in φ
==========  ==============================================  ===================
separate    τ_s and τ_t (the default; MKD's abstract)       2
shared      one τ for both sides                            1
per_class   τ_s and τ_t of each label's class               2 C
per_sample  a network from logit statistics to τ_s and τ_t  162
==========  ==============================================  ===================
"""

from typing import Literal, get_args

from metakd.core.temperature_bounds import TAU_MAX, TAU_MIN, require_start
from metakd.core.temperatures.base import TemperaturePair, Temperatures
from metakd.core.temperatures.per_class import PerClassTemperatures
from metakd.core.temperatures.per_sample import PerSampleTemperatures
from metakd.core.temperatures.scalar import SeparateTemperatures, SharedTemperature

Form = Literal["separate", "shared", "per_class", "per_sample"]


def require_form(form: Form, num_classes: int | None) -> None:
    """Raises ``ValueError`` unless the form is known and has what it needs."""
    if form not in get_args(Form):
        raise ValueError(f"form must be one of {', '.join(get_args(Form))}, got form={form!r}")
    if form == "per_class" and num_classes is None:
        raise ValueError("per_class temperatures need num_classes, got None")
    if form != "per_class" and num_classes is not None:
        raise ValueError(f"num_classes is for per_class alone, got num_classes={num_classes}")


def make_temperatures(
    form: Form, tau_s: float, tau_t: float, num_classes: int | None = None
) -> Temperatures:
    """Returns temperatures of a form, at their start.

    Args:
        form: One of the names above.
        tau_s: Where the student's start, in [0.25, 64].
        tau_t: Where the teacher's start, in [0.25, 64]; a shared one starts at ``tau_s``.
        num_classes: C, needed by ``per_class`` alone.

    Raises:
        ValueError: If the form is unknown, a start is out of bounds, or ``per_class`` lacks the
            number of classes.
    """
    require_form(form, num_classes)
    require_start("tau_s", tau_s)
    require_start("tau_t", tau_t)
    match form:
        case "separate":
            return SeparateTemperatures(tau_s, tau_t)
        case "shared":
            return SharedTemperature(tau_s)
        case "per_class":
            return PerClassTemperatures(tau_s, tau_t, num_classes or 0)
        case "per_sample":
            return PerSampleTemperatures(tau_s, tau_t)


__all__ = [
    "TAU_MAX",
    "TAU_MIN",
    "Form",
    "TemperaturePair",
    "Temperatures",
    "make_temperatures",
    "require_form",
    "require_start",
]

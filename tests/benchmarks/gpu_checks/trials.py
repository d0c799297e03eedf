"""Trials of 50 steps in float32, on the device as on the CPU."""

from functools import partial

from gpu_checks.case import Found, Setup, largest_difference
from gpu_checks.prepared import Prepared, prepare, run_on
from metakd.core.distillers import (
    AlignConfig,
    CrossEntropyConfig,
    DistillerConfig,
    KDConfig,
    MetaDistilConfig,
    MKDConfig,
    MMKDConfig,
)
from metakd.train.student import Outcome

DISTILLERS: dict[str, DistillerConfig] = {
    "ce": CrossEntropyConfig(),
    "kd": KDConfig(),
    "meta": MKDConfig(interval=2),
    "align": AlignConfig(interval=2),
    "mmkd": MMKDConfig(interval=2),
    "metadistil": MetaDistilConfig(),
}
TOLERANCE = 0.01
"""Of losses and temperatures after 50 steps: rounding grows from step to step."""


def curve(outcome: Outcome) -> list[float]:
    """Returns training losses, validation losses and temperatures, epoch by epoch."""
    return [
        value
        for epoch in outcome.epochs
        for value in (
            epoch.record.train_loss,
            epoch.validation.loss,
            *(epoch.record.temperatures or ()),
        )
    ]


def differences(found: list[float], expected: list[float]) -> float:
    """Returns the largest relative difference of two curves, value by value."""
    pairs = zip(found, expected, strict=True)
    return max(largest_difference(a, b) for a, b in pairs)


def as_on_the_cpu(dataset: str, distiller: str, setup: Setup) -> Found:
    """Runs a trial twice."""
    prepared = opened(setup, dataset)
    trial = prepared.taught_by(DISTILLERS[distiller])
    on_cpu = curve(run_on("cpu", trial, prepared.folder))
    on_device = curve(run_on(setup.device, trial, prepared.folder))
    per_epoch = len(on_cpu) // trial.epochs
    after_one = differences(on_device[:per_epoch], on_cpu[:per_epoch])
    whole = differences(on_device, on_cpu)
    return Found(
        whole < TOLERANCE,
        {"difference": whole, "after an epoch": after_one, "last": on_device[-per_epoch:]},
    )


def opened(setup: Setup, dataset: str) -> Prepared:
    """Returns the trial on digits or on CIFAR-10."""
    return prepare(setup, setup.dataset(dataset) if dataset != "digits" else dataset, dataset)


CASES = {
    f"{dataset}, {distiller}": partial(as_on_the_cpu, dataset, distiller)
    for dataset in ("digits", "cifar10")
    for distiller in DISTILLERS
}

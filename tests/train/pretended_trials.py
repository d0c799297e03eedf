"""Runs a tiny trial of every distiller on the device that is not there; prints what was seen.

It is a process of its own: PyTorch cannot forget a device.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pretended_device import NAME, PretendedDevice, register
from test_golden import RECIPE, curve, prepared
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import CONFIGS, KDConfig, MKDConfig
from metakd.core.distillers.kd import KD
from metakd.core.losses import Losses
from metakd.train import student, teacher
from metakd.train.bank_building import BankContent, store_outputs, store_views
from metakd.train.folder import StudyFolder
from metakd.train.inputs import ShuffledBatches
from metakd.train.samples import open_samples
from metakd.train.student import Bank, run_trial
from metakd.train.trial import Trial

AS_RECORDED = [
    *CONFIGS,
    *("mkd from 1, per sample", "mkd, product, 2 steps"),
    *("metadistil+tau", "mmkd with features"),
]
"""Cases of the golden curves: all distillers, and what their defaults do not reach."""


class LeftOnTheCpu(KD):
    """The fault that is to be caught: what belongs to the distiller does not follow the student."""

    def __init__(self, config: KDConfig) -> None:
        super().__init__(config)
        self._class_weights = torch.ones(10)

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        return super().loss(logits * self._class_weights, batch)


class ReadsItsLoss(KD):
    """The other fault: the host waits for a number in every step."""

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        losses = super().loss(logits, batch)
        losses.total.item()
        return losses


class LeftConfig(KDConfig):
    def build(self) -> KD:
        return LeftOnTheCpu(self)


class ReadingConfig(KDConfig):
    def build(self) -> KD:
        return ReadsItsLoss(self)


def trained(trial: Trial, folder: StudyFolder, bank: Bank | None = None) -> dict[str, Any]:
    record = run_trial(trial, folder, bank).epochs[-1].record
    return {"look_aheads": record.meta_steps, "temperatures": record.temperatures}


def made_bank(trial: Trial, folder: StudyFolder) -> Bank:
    content = BankContent(trial.data, trial.sampling, trial.recipe, trial.seed)
    store_views(content, folder)
    assert trial.teacher is not None
    store_outputs(content, trial.teacher, False, folder)
    return Bank(content.views(folder).id, has_views=True)


def watch_steps() -> PretendedDevice:
    """Has the waits counted of the steps of every epoch but the first, which has things come."""
    mode, epoch = PretendedDevice(), ShuffledBatches.epoch
    mode.is_watching = False

    def watched(self: ShuffledBatches, number: int) -> Iterator[Batch]:
        mode.is_watching = number > 0
        yield from epoch(self, number)
        mode.is_watching = False

    ShuffledBatches.epoch = watched  # type: ignore[method-assign]
    return mode


def main() -> None:
    """Prints a JSON line for each case."""
    register()
    mode = watch_steps()
    with tempfile.TemporaryDirectory() as place:
        folder, several = prepared(Path(place))
        here = open_samples(several.data, folder)
        plain = replace(several, further_teachers=(), distiller=KDConfig())
        bank = made_bank(plain, folder)
        adamw = replace(
            plain, distiller=MKDConfig(interval=2), recipe=replace(RECIPE, algorithm="adamw")
        )
        on_cpu = trained(adamw, folder)
        for module in (student, teacher):
            module.open_samples = lambda data, folder: replace(here, device=NAME)
        held_out = replace(plain, distiller=MKDConfig(interval=2, meta_data="held_out"))
        cases: dict[str, Callable[[], Any]] = {
            **{name: lambda name=name: curve(name, folder, several) for name in AS_RECORDED},
            "adamw": lambda: trained(adamw, folder),
            "adamw, on the CPU": lambda: on_cpu,
            "held out": lambda: trained(held_out, folder),
            "bank": lambda: trained(plain, folder, bank),
            "left on the CPU": lambda: trained(replace(plain, distiller=LeftConfig()), folder),
            "reads its loss": lambda: trained(replace(plain, distiller=ReadingConfig()), folder),
        }
        for name, run in cases.items():
            mode.waits.clear()
            try:
                with mode:
                    found = run()
            except RuntimeError as error:
                mode.is_watching = False
                found = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps({"name": name, **found, "waits": mode.waits}), flush=True)


if __name__ == "__main__":
    main()

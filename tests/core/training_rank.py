"""One rank of a ``Training``: ``python training_rank.py RANK WORLD STORE OUT``."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import torch
import torch.distributed as dist
from ranks import joined, write
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from metakd.core.batch_norm import share_batch_norm
from metakd.core.batches import Batch
from metakd.core.distillers import (
    AlignConfig,
    CAMKDConfig,
    CrossEntropyConfig,
    CTKDConfig,
    Distiller,
    DistillerConfig,
    DKDConfig,
    KDConfig,
    KDCosineConfig,
    KDScheduleConfig,
    KDStdConfig,
    LogitStdConfig,
    MeanLogitsConfig,
    MeanLossesConfig,
    MetaDistilConfig,
    MKDConfig,
    MMKDConfig,
    NormKDConfig,
    RLDConfig,
    ScaleFreeKDConfig,
    SeveralTeachersConfig,
    TTMConfig,
    WTTMConfig,
)
from metakd.core.distillers.metadistil import MetaDistil
from metakd.core.evaluation import evaluate
from metakd.core.lookahead import bare
from metakd.core.training import Recipe, Training
from metakd.testing import check_equal_on_ranks

BATCH, CLASSES, STEPS = 16, 4, 20
RECIPE = Recipe(epochs=2, batch_size=BATCH, lr=0.1)
# Its networks see the same on any number of ranks.
THREE_STEPS = replace(MMKDConfig.reference(), feature_input="pooled", buffer_size=20, meta_lr=0.03)
DISTILLERS: dict[str, DistillerConfig] = {
    "kd": KDConfig(),
    "kd_scale_free": ScaleFreeKDConfig(tau_s=2.0, tau_t=8.0),
    "kd_std": KDStdConfig(tau=4.0),
    "mkd": MKDConfig(interval=4),
    "align": AlignConfig(interval=4),
    "mkd two steps": MKDConfig(interval=4, horizon=2),
    "mkd held out": MKDConfig(interval=4, meta_data="held_out"),
    "mean_losses": MeanLossesConfig(features_weight=1.0),
    "mmkd": MMKDConfig(interval=4, features_weight=1.0, meta_lr=0.03),
    "mmkd held out": MMKDConfig(interval=4, meta_data="held_out", meta_lr=0.03),
    "mmkd both": MMKDConfig(interval=4, learns="both", meta_lr=0.03),
    "mmkd three steps": THREE_STEPS,
    "metadistil": MetaDistilConfig(interval=2, horizon=2, teacher_lr=0.03),
    "ctkd": CTKDConfig(),
    "ctkd dkd": CTKDConfig(taught_by="dkd", target_weight=0.1, others_weight=0.1),
}


class Alone(CTKDConfig):
    """CTKD as its users met it: each rank learns from its own share alone."""

    def build(self) -> Distiller:  # type: ignore[override]
        distiller = super().build()
        attach = distiller.attach
        distiller.attach = lambda student, optimiser: attach(bare(student), optimiser)  # type: ignore[method-assign]
        return distiller


CHECKED: dict[str, DistillerConfig] = {
    "ce": CrossEntropyConfig(),
    "kd": KDConfig(),
    "kd_scale_free": ScaleFreeKDConfig(tau_s=2.0, tau_t=8.0),
    "kd_schedule": KDScheduleConfig(((0, 4.0), (2, 8.0))),
    "kd_cosine": KDCosineConfig(),
    "kd_std": KDStdConfig(),
    "logit_std": LogitStdConfig(),
    "normkd": NormKDConfig(),
    "ttm": TTMConfig(kd_weight=1.0),
    "wttm": WTTMConfig(kd_weight=1.0),
    "dkd": DKDConfig(),
    "rld": RLDConfig(),
    "ctkd": CTKDConfig(),
    "mkd": MKDConfig(interval=2),
    "align": AlignConfig(interval=2),
    "mean_losses": MeanLossesConfig(features_weight=1.0),
    "mean_logits": MeanLogitsConfig(),
    "camkd": CAMKDConfig(features_weight=1.0),
    "mmkd": MMKDConfig(interval=2, learns="both", features_weight=1.0),
    "mmkd three steps": replace(THREE_STEPS, interval=2),
    "metadistil": MetaDistilConfig(teacher_lr=0.03),
    "alone": Alone(),
}


class Featured(nn.Sequential):
    """Layers, of which the last is the head, as timm names them."""

    def forward_features(self, inputs: Tensor) -> Tensor:
        for layer in list(self)[:-1]:
            inputs = layer(inputs)
        return inputs

    def forward_head(self, features: Tensor) -> Tensor:
        return self[-1](features)


def plain() -> nn.Module:
    return Featured(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, CLASSES))


def normalised() -> nn.Module:
    return Featured(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4, momentum=None),
        nn.Tanh(),
        nn.Conv2d(4, 4, 3),
        BatchNormAct2d(4, act_layer=nn.SiLU),
        nn.Flatten(),
        nn.BatchNorm1d(16, affine=False),
        nn.Linear(16, CLASSES),
    )


STUDENTS = {"plain": plain, "normalised": normalised}


def batch(seed: int, rank: int, world: int, config: DistillerConfig) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(BATCH, 1, 6, 6, generator=generator).double()
    teacher = torch.randn(36, CLASSES, generator=torch.Generator().manual_seed(0)).double()
    logits = inputs.flatten(1) @ teacher
    noise = torch.randn(BATCH, CLASSES, generator=generator).double()
    whole = Batch(inputs, (logits + 2 * noise).argmax(dim=1), logits)
    if isinstance(config, SeveralTeachersConfig):
        several = torch.stack([logits, logits.flip(1), 2 * logits.tanh()], dim=1)
        maps = (inputs, inputs[:, :, :2, :2].tanh(), inputs.abs().mean(dim=(2, 3), keepdim=True))
        whole = Batch(inputs, whole.labels, None, several, maps if config.uses_features else ())
    return whole.each(lambda rows: rows[rank::world])


class Batches:
    steps_per_epoch = STEPS // RECIPE.epochs

    def __init__(self, rank: int, world: int, offset: int, config: DistillerConfig) -> None:
        self._share, self._offset, self._config = (rank, world), offset, config

    def epoch(self, epoch: int) -> Iterator[Batch]:
        for step in range(epoch * self.steps_per_epoch, (epoch + 1) * self.steps_per_epoch):
            yield self.at(step)

    def at(self, step: int) -> Batch:
        return batch(1 + step + self._offset, *self._share, self._config)


def run(rank: int, world: int, student: nn.Module, config: DistillerConfig) -> dict[str, Any]:
    group = dist.group.WORLD if world > 1 else None
    distiller = config.build()
    if isinstance(distiller, MetaDistil):
        distiller.take_teacher(nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES)).double())
    batches, held_out = (Batches(rank, world, offset, config) for offset in (0, 1000))
    model = distiller.extend(student, batches.at(0), seed=0).double()
    if group is not None:
        model = DistributedDataParallel(share_batch_norm(model, group), broadcast_buffers=False)
    training = Training(model, distiller, RECIPE, batches, held_out)
    records = []
    while not training.is_done:
        records.append(asdict(training.run_epoch()) | {"compute_s": 0.0})
    # Shares of a test set need not be equal, nor hold anything.
    rest = [] if rank else [batch(5000, 0, 1, config)[:2]]
    found = evaluate(student, [batch(4000, rank, world, config)[:2], *rest], group)
    state = {
        name: value.flatten().tolist() for name, value in training.state_dict()["student"].items()
    }
    return {"records": records, "evaluation": list(found), "state": state}


def complaint(config: DistillerConfig) -> str:
    """Returns what the conformance suite says of a distiller on all ranks."""
    assert dist.group.WORLD is not None
    try:
        check_equal_on_ranks(config, dist.group.WORLD)
    except AssertionError as error:
        return str(error)
    return ""


def main() -> None:
    found = {}
    with joined() as (rank, world):
        for name, make in STUDENTS.items():
            for distiller, config in DISTILLERS.items():
                torch.manual_seed(0)
                found[f"{name}, {distiller}"] = run(rank, world, make().double(), config)
        if world > 1:
            found["complaints"] = {name: complaint(config) for name, config in CHECKED.items()}
        write(found)


if __name__ == "__main__":
    main()

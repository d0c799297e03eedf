"""timm's own training loop, with one class switched."""

import copy
import gc
import weakref
from typing import Any

import pytest
import timm
import torch
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.task import LogitDistillationTask
from torch import Tensor, nn

from metakd.core.timm_task import MetaTemperatureTask

CLASSES = 5


def model(width: int) -> nn.Module:
    torch.manual_seed(width)
    return timm.create_model(
        "vit_tiny_patch16_224",
        img_size=16,
        patch_size=8,
        num_classes=CLASSES,
        embed_dim=width,
        depth=2,
        num_heads=2,
    )


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(8, 3, 16, 16, generator=generator), torch.arange(8) % CLASSES


def make(kind: type[LogitDistillationTask], **settings: Any) -> LogitDistillationTask:
    return kind(
        student_model=model(12),
        teacher_model=model(24),
        criterion=nn.CrossEntropyLoss(label_smoothing=0.1),
        task_loss_weight=0.3,
        temperature=4.0,
        verbose=False,
        **settings,
    ).train()


def loop(
    task: LogitDistillationTask, steps: int, soft: bool = False, opt: str = "adamw"
) -> list[float]:
    """What timm's train.py does with a task."""
    optimiser = create_optimizer_v2(task.get_trainable_module(), opt=opt, lr=1e-3)
    losses = []
    for step in range(steps):
        images, target = batch(step % 4)
        if soft:
            target = nn.functional.one_hot(target, CLASSES).float() * 0.9 + 0.02
        result = task(images, target)
        optimiser.zero_grad()
        result["loss"].backward()
        optimiser.step()
        losses.append(float(result["loss"].detach()))
        optimiser.zero_grad()
    return losses


@pytest.mark.parametrize("opt", ["adamw", "sgd"])
@pytest.mark.parametrize("rule", ["gradient", "alignment"])
def test_one_class_switched_learns_the_temperatures(opt: str, rule: str) -> None:
    task = make(MetaTemperatureTask, meta={"interval": 2, "rule": rule})
    losses = loop(task, 24, opt=opt)
    assert losses[-1] < losses[0]
    assert task.temperatures.steps == 23  # the first step is the one that shows the optimiser
    assert task.temperatures.temperatures != (4.0, 4.0)
    assert task.temperatures.skipped == 0


def test_before_anything_is_learned_it_is_timms_own_task() -> None:
    ours, theirs = make(MetaTemperatureTask), make(LogitDistillationTask)
    images, target = batch(0)
    mine, other = ours(images, target), theirs(images, target)
    assert mine.keys() == other.keys()
    for name, value in other.items():
        torch.testing.assert_close(mine[name], value, rtol=1e-5, atol=1e-6)


def test_mixed_labels_work_with_timms_soft_criterion() -> None:
    task = make(MetaTemperatureTask, meta={"interval": 2})
    task.criterion = SoftTargetCrossEntropy()
    task.temperatures.use_task_loss(task.criterion)
    loop(task, 6, soft=True)
    assert task.temperatures.temperatures != (4.0, 4.0)


def test_the_temperatures_are_in_timms_checkpoint() -> None:
    task = make(MetaTemperatureTask, meta={"interval": 1})
    loop(task, 6)
    saved = copy.deepcopy(task.get_checkpoint_state())
    again = make(MetaTemperatureTask, meta={"interval": 1})
    again.load_checkpoint_state(saved["state_dict"], saved["task_state"])
    assert again.temperatures.temperatures == task.temperatures.temperatures
    assert again.temperatures.steps == task.temperatures.steps


def test_a_task_nobody_trains_can_be_forgotten() -> None:
    """The hook that waits for an optimiser keeps no task alive, and ends itself."""
    task = make(MetaTemperatureTask)
    gone = weakref.ref(task)
    del task
    gc.collect()
    assert gone() is None
    loop(make(LogitDistillationTask), 1)


def test_evaluation_looks_at_nothing() -> None:
    task = make(MetaTemperatureTask, meta={"interval": 1})
    loop(task, 2)
    steps = task.temperatures.steps
    with torch.no_grad():
        task.eval()(*batch(0))
    assert task.temperatures.steps == steps
    assert task.temperatures.is_due

"""What the planner expects of a GPU's steps, against measured ones."""

import statistics
from functools import partial

import torch
import torch.nn.functional as F
from torch.optim import AdamW

from gpu_checks.case import Found, Setup
from metakd.models.create import create_model
from metakd.study.gpu_work import H100, work_of
from metakd.study.machines import AROUND

WITHIN = 1.5
"""An expectation is kept if it is no further off, above or below."""
ROUNDS = 3


def expected_against_measured(model: str, side: int, batch: int, setup: Setup) -> Found:
    """Times a model's plain steps under autocast; the expectation is for an H100."""
    shape, classes = (3, side, side), setup.size(1000, 10)
    batch = setup.size(batch, 2)
    if setup.is_tiny:
        model += ",depth=1,embed_dim=32,num_heads=2"
    student = create_model(model, shape, classes, seed=0).to(setup.device).train()
    optimiser = AdamW(student.parameters(), fused=True)
    inputs = torch.randn(batch, *shape, device=setup.device)
    labels = torch.randint(classes, (batch,), device=setup.device)

    def step() -> None:
        with torch.autocast(setup.device, torch.bfloat16, enabled=setup.device == "cuda"):
            loss = F.cross_entropy(student(inputs).float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    steps = setup.size(10, 1)
    measured_s = statistics.median(setup.seconds(step, steps) for _ in range(setup.size(ROUNDS, 1)))
    expected_s = AROUND * batch * work_of(model, shape, classes).training_s(H100)
    ratio = measured_s / expected_s
    numbers = {"measured over expected": ratio, "images a second": batch / measured_s}
    is_h100 = setup.device == "cuda" and "H100" in torch.cuda.get_device_name()
    return Found(1 / WITHIN < ratio < WITHIN if is_h100 else None, numbers)


CASES = {
    "ViT-Ti at 32 px": partial(
        expected_against_measured, "timm:vit_tiny_patch16_224,patch_size=4", 32, 512
    ),
    **{
        f"ViT-{size.title()} at 224 px": partial(
            expected_against_measured, f"timm:vit_{size}_patch16_224", 224, 128
        )
        for size in ("tiny", "small", "base")
    },
}

"""What a GPU is trained with: bf16 autocast, fused attention, ``torch.compile``, kept states."""

from dataclasses import replace

import torch
from torch import nn
from torch.optim import AdamW

from gpu_checks.case import Found, Setup, largest_difference
from gpu_checks.prepared import run_on
from gpu_checks.trials import curve, differences, opened
from metakd.core import MetaTemperature
from metakd.core.distillers import MKDConfig
from metakd.models.create import create_model

VIT = "timm:vit_tiny_patch16_224,patch_size=8,embed_dim=64,depth=2,num_heads=2"
BATCH, CLASSES, STEPS = 32, 10, 6
IN_BF16, BY_OTHER_KERNELS, AGAIN = 0.25, 0.01, 0.02


def in_bf16(setup: Setup) -> Found:
    """A trial under autocast in channels_last, as students are trained, against float32."""
    prepared = opened(setup, "cifar10")
    trial = prepared.taught_by(MKDConfig(interval=2))
    exact = run_on(setup.device, trial, prepared.folder)
    half = run_on(setup.device, trial, prepared.folder, torch.bfloat16)
    difference = differences(curve(half), curve(exact))
    skipped = sum(epoch.record.meta_steps_skipped for epoch in half.epochs)
    ok = half.precision == "bfloat16" and skipped == 0 and difference < IN_BF16
    return Found(ok, {"difference": difference, "precision": half.precision, "skipped": skipped})


def learned(
    setup: Setup, model: str, estimator: str, is_compiled: bool = False, in_half: bool = False
) -> list[float]:
    """Learns temperatures beside a student for some steps, and returns all gradients by them."""
    device = torch.device(setup.device)
    student: nn.Module = create_model(model, (3, 32, 32), CLASSES, seed=0).to(device).train()
    optimiser = AdamW(student.parameters(), lr=1e-3, fused=True)
    if is_compiled:
        student.compile(backend=setup.size("inductor", "aot_eager"))
    temps = MetaTemperature(interval=1, estimator=estimator).watch(student, optimiser)
    random = torch.Generator().manual_seed(0)
    seen: list[float] = []
    for _ in range(STEPS):
        inputs, judging = torch.randn(2, BATCH, 3, 32, 32, generator=random).to(device)
        teacher_logits = 3 * torch.randn(BATCH, CLASSES, generator=random).to(device)
        labels = torch.randint(CLASSES, (BATCH,), generator=random).to(device)
        with torch.autocast(setup.device, torch.bfloat16, enabled=in_half):
            loss = temps.loss(student(inputs), teacher_logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.autocast(setup.device, torch.bfloat16, enabled=in_half):
            found = temps.meta_step(judging, labels)
        assert found is not None
        assert found.gradient is not None
        assert not found.is_skipped
        seen += found.gradient.tolist()
    return seen


def fused_attention(setup: Setup) -> Found:
    """The forward-mode pass of a transformer that trains by fused attention."""
    by_jvp = learned(setup, VIT, "jvp")
    exact = largest_difference(by_jvp, learned(setup, VIT, "double_backward"))
    # AdamW's first step is the sign of the gradient, which bf16 turns round where it is near 0.
    later = slice(len(by_jvp) // STEPS, None)
    half = largest_difference(learned(setup, VIT, "jvp", in_half=True)[later], by_jvp[later])
    ok = exact < BY_OTHER_KERNELS and half < IN_BF16
    return Found(ok, {"from double backward": exact, "bf16 from float32": half})


def compiled(setup: Setup) -> Found:
    """A compiled student, whose look-aheads pass the module inside."""
    model = setup.size("cifar_resnet8", "cifar_cnn_tiny")
    eager = learned(setup, model, "jvp")
    difference = largest_difference(learned(setup, model, "jvp", is_compiled=True), eager)
    return Found(difference < BY_OTHER_KERNELS, {"difference": difference})


def resumed(setup: Setup) -> Found:
    """A trial that goes on from a kept state, against one that was never stopped."""
    prepared = opened(setup, "digits")
    # No look-ahead is under way where it is stopped.
    whole = prepared.taught_by(MKDConfig(interval=7))
    whole = replace(whole, recipe=replace(whole.recipe, epochs=4))
    part = replace(whole, stop_after=2)
    bf16 = torch.bfloat16
    at_once = curve(run_on(setup.device, whole, prepared.folder, bf16))
    run_on(setup.device, part, prepared.folder, bf16)
    kept = list((prepared.folder.checkpoints / whole.id).glob("branch-*.pt"))
    resumed = curve(run_on(setup.device, whole, prepared.folder, bf16))
    difference = differences(resumed, at_once)
    return Found(
        len(kept) == 1 and difference < AGAIN,
        {"difference": difference, "states kept": len(kept)},
    )


CASES = {
    "bf16 autocast, channels_last": in_bf16,
    "fused attention": fused_attention,
    "torch.compile": compiled,
    "resume": resumed,
}

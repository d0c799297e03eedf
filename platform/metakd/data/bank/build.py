"""Makes what a bank lacks."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metakd.atomic import new_file
from metakd.data.bank.parts import BankError
from metakd.data.bank.stored import about_file, open_views, outputs_parts, views_parts
from metakd.data.catalogue import OutputType
from metakd.data.views import Images, Views

VIEWS_AT_ONCE = 4096

Outputs = Mapping[str, Tensor]
"""A teacher's outputs for B views, by name, each (B, ...): "logits", and "features" where kept."""
Teacher = Callable[[Tensor], Outputs]
"""Maps views (B, C, H, W) uint8 to its outputs."""


def build_views(root: Path, views: Views) -> None:
    """Makes the views that a bank lacks, and again those that are damaged.

    Args:
        root: Where banks are kept.
        views: The views.
    """
    _describe(root, views)
    parts = views_parts(root, views.id)
    parts.check()
    for part in parts.missing():
        numbers = parts.numbers_of(part)
        made = np.empty((len(numbers), *views.shape[1:]), dtype=np.uint8)
        for place, number in enumerate(numbers):
            for rows in torch.arange(parts.samples).split(VIEWS_AT_ONCE):
                made[place, rows.numpy()] = views.images(rows, number).cpu().numpy()
        parts.write(part, made)


def build_outputs(
    root: Path,
    views: Views,
    teacher_id: str,
    teacher: Teacher,
    kept_as: OutputType = "float16",
    names: tuple[str, ...] = ("logits",),
    batch_size: int = 64,
) -> None:
    """Computes a teacher's outputs for every view, unless they are there and whole.

    Args:
        root: Where banks are kept.
        views: Its inputs; read from the bank where the bank has them.
        teacher_id: Content hash of the teacher.
        teacher: The teacher.
        kept_as: In which type its outputs are kept.
        names: Which of its outputs are kept.
        batch_size: How many views it has at once.

    Raises:
        BankError: If an output is not a finite number in that type.
    """
    _describe(root, views)
    kept = {name: outputs_parts(root, views.id, teacher_id, name, kept_as) for name in names}
    for parts in kept.values():
        parts.check()
    images = _images(root, views)
    missing = {
        name: {number for part in parts.missing() for number in parts.numbers_of(part)}
        for name, parts in kept.items()
    }
    unwritten: dict[str, dict[int, NDArray[np.generic]]] = {name: {} for name in names}
    for number in sorted(set().union(*missing.values())):
        lacking = [name for name in names if number in missing[name]]
        outputs = _outputs(teacher, images, number, views.shape[1], batch_size, lacking, kept_as)
        for name in lacking:
            if not np.isfinite(outputs[name]).all():
                raise BankError(
                    f"{name} of teacher {teacher_id} are not finite numbers as {kept_as}"
                    + (": keep them as float32" if kept_as == "float16" else "")
                )
            unwritten[name][number] = outputs[name]
            part = kept[name].part_of(number)
            numbers = kept[name].numbers_of(part)
            if number == numbers[-1]:
                kept[name].write(part, np.stack([unwritten[name].pop(each) for each in numbers]))


def _images(root: Path, views: Views) -> Images:
    """Returns what reads views from the bank where it has all of them, or else makes them."""
    if views_parts(root, views.id).missing():
        return views.images
    return open_views(root, views.id).take


@torch.no_grad()
def _outputs(
    teacher: Teacher,
    images: Images,
    number: int,
    samples: int,
    batch_size: int,
    names: Sequence[str],
    kept_as: OutputType,
) -> dict[str, NDArray[np.generic]]:
    kept: dict[str, list[NDArray[np.generic]]] = {name: [] for name in names}
    for rows in torch.arange(samples).split(batch_size):
        outputs = teacher(images(rows, number))
        for name in names:
            # What is too large becomes infinite, and is logged.
            with np.errstate(over="ignore"):
                kept[name].append(outputs[name].float().cpu().numpy().astype(kept_as))
    return {name: np.concatenate(batches) for name, batches in kept.items()}


def _describe(root: Path, views: Views) -> None:
    place = about_file(root, views.id)
    if not place.exists():
        with new_file(place) as draft:
            about = {**views.key, "dataset": views.dataset.name, "shape": views.shape}
            draft.write_text(json.dumps(about, indent=2))

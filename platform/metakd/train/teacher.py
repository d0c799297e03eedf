"""Trained teachers: stored by content, opened by their id."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from metakd.atomic import new_file
from metakd.core.features import logits_and_map
from metakd.data.bank import Outputs
from metakd.data.catalogue import OutputType
from metakd.models.names import brings_weights, without_weights
from metakd.models.pretrained import take_inputs
from metakd.results.study import StoreError
from metakd.train.folder import StudyFolder
from metakd.train.samples import open_samples
from metakd.train.teacher_outputs import FEATURES, LOGITS
from metakd.train.trial import TeacherSpec

REPORT_FILE = "teacher.json"
GIVEN_FILE = "given.safetensors"


@dataclass(frozen=True)
class TeacherReport:
    """How good a trained teacher is: accuracies in [0, 1]."""

    val_acc: float
    test_acc: float
    train_s: float


def read_report(spec: TeacherSpec, folder: StudyFolder) -> TeacherReport | None:
    """Returns the report of a finished teacher, None if there is none yet."""
    path = folder.teachers / spec.id / REPORT_FILE
    folder.fetch(path)
    if not path.exists():
        return None
    return TeacherReport(**json.loads(path.read_text()))


def pushed_report(spec: TeacherSpec, folder: StudyFolder) -> TeacherReport:
    """Returns the report of a teacher that was trained, once all machines can have the teacher.

    Raises:
        StoreError: If it is not there.
    """
    report = read_report(spec, folder)
    # One that was stopped after it was stored here may not have uploaded it.
    folder.push(folder.teachers / spec.id)
    if report is None:
        raise StoreError(f"the teacher {spec.model} was trained, but is not in {folder.teachers}")
    return report


def given_file(spec: TeacherSpec, folder: StudyFolder) -> Path:
    """Returns where the weights of a teacher that was trained elsewhere wait for it."""
    return folder.teachers / spec.id / GIVEN_FILE


def trained_teachers(folder: StudyFolder) -> set[str]:
    """Returns the ids of all finished teachers."""
    files = [name.split("/") for name in folder.names(folder.teachers)]
    return {teacher for teacher, file in files if file == REPORT_FILE}


def new_teacher(spec: TeacherSpec, folder: StudyFolder) -> nn.Module:
    """Returns the teacher before its training, on this process's device.

    One whose name brings weights is the architecture alone, for inputs normalised as they are here.
    """
    samples = open_samples(spec.data, folder)
    model = samples.new_model(without_weights(spec.model), spec.seed)
    if brings_weights(spec.model):
        take_inputs(model, spec.model, samples.normalise.mean, samples.normalise.std)
    return model


def store_teacher(
    spec: TeacherSpec, folder: StudyFolder, model: nn.Module, report: TeacherReport
) -> None:
    """Stores a trained teacher: ``teachers/<id>/model.pt``, then ``teacher.json``."""
    place = folder.teachers / spec.id
    with new_file(place / "model.pt") as draft:
        torch.save({name: value.cpu() for name, value in model.state_dict().items()}, draft)
    # The report is the commit: a teacher without one is trained again.
    with new_file(place / REPORT_FILE) as draft:
        draft.write_text(json.dumps(asdict(report)))
    folder.push(place / "model.pt", place / REPORT_FILE)


def open_teacher(
    spec: TeacherSpec, folder: StudyFolder, rounded_to: OutputType = "float32"
) -> Callable[[Tensor], Tensor]:
    """Returns a trained teacher as a function from normalised inputs to logits (B, C).

    Args:
        spec: The teacher.
        folder: Where it is stored.
        rounded_to: The type that its outputs are rounded to; they come as float32.
    """
    model = open_module(spec, folder)
    dtype = getattr(torch, rounded_to)

    @torch.no_grad()
    def forward(inputs: Tensor) -> Tensor:
        logits: Tensor = model(inputs)
        return logits.to(dtype).float()

    return forward


def open_teacher_with_features(
    spec: TeacherSpec, folder: StudyFolder, rounded_to: OutputType = "float32"
) -> Callable[[Tensor], Outputs]:
    """Returns a trained teacher as a function from normalised inputs to logits and its last map.

    Args:
        spec: The teacher.
        folder: Where it is stored.
        rounded_to: The type that its outputs are rounded to; they come as float32.

    Returns:
        A function that gives "logits" (B, C) and "features" (B, c, h, w).
    """
    model = open_module(spec, folder)
    dtype = getattr(torch, rounded_to)

    @torch.no_grad()
    def forward(inputs: Tensor) -> Outputs:
        logits, features = logits_and_map(model, inputs)
        outputs = {LOGITS: logits, FEATURES: features.contiguous()}
        return {name: each.to(dtype).float() for name, each in outputs.items()}

    return forward


def open_module(spec: TeacherSpec, folder: StudyFolder) -> nn.Module:
    """Returns a trained teacher as a module that stays as it is, on this process's device."""
    model = new_teacher(spec, folder)
    weights = folder.teachers / spec.id / "model.pt"
    folder.fetch(weights)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)

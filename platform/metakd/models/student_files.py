"""Trained students as files: a state dict in safetensors, and a card that says what it is of."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from metakd.atomic import new_file
from metakd.models.create import create_model
from metakd.models.names import without_weights
from metakd.models.own import without_version
from metakd.student_card import StudentCard, StudentFileError, read_card


class LoadedStudent(nn.Module):
    """A student as a module from images as they are to logits.

    Attributes:
        model: The student itself, which takes normalised inputs.
        card: What is to be known of it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, card: StudentCard) -> None:
        super().__init__()
        self.model = model
        self.card = card
        for name, values in (("mean", card.mean), ("std", card.std)):
            self.register_buffer(name, torch.tensor(values).reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits (B, K) of images (B, C, H, W): uint8 in [0, 255], or floats in [0, 1]."""
        inputs = images.float().div(255) if images.dtype == torch.uint8 else images
        logits: Tensor = self.model((inputs - self.mean) / self.std)
        return logits


def write_weights(place: Path, weights: Mapping[str, Tensor]) -> None:
    """Writes a state dict as a safetensors file; an older one is replaced."""
    from safetensors.torch import save

    # The format has no layouts of memory, and no entries that share it.
    layout = torch.contiguous_format
    tensors = {
        name: value.detach().cpu().clone(memory_format=layout) for name, value in weights.items()
    }
    with new_file(place) as draft:
        # Its own way to write a file gives it to its owner alone.
        draft.write_bytes(save(tensors))


def load_student(path: str | Path) -> LoadedStudent:
    """Loads a student that a study kept, in evaluation mode, on the CPU.

    Args:
        path: ``OUT/students/TRIAL.safetensors``; its card lies beside it.

    Raises:
        StudentFileError: If a file is missing, damaged or of a newer version, or the weights are of
            another model.
        ModelError: If its model cannot be built here.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise StudentFileError(f"there is no student {path}: is the path right?")
    card = read_card(path)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise StudentFileError(f"{path} is damaged, or no safetensors file: {error}") from error
    # Whether the code is the same, the weights' names and shapes say.
    name = without_version(without_weights(card.model))
    model = create_model(name, card.image_shape, len(card.classes), seed=0)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StudentFileError(
            f"the weights of {path} are not those of {card.model!r}: {error}"
        ) from error
    return LoadedStudent(model, card).eval()

"""Weights of a teacher that was trained elsewhere: a file, and what its inputs were.

``MODEL,weights=FILE,normalise=HOW`` names such a teacher, perhaps with ``,input_size=N``. In a plan
the file's hash stands for its path: the same weights elsewhere are the same teacher.
"""

import hashlib
import pickle
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metakd.home import expanded
from metakd.models.names import (
    INPUT_SIZE,
    NORMALISE,
    WEIGHTS,
    ModelError,
    join_name,
    normalise_of,
    split_name,
    without_weights,
)

HASH_LENGTH = 8
WRAPPED_IN = ("state_dict", "model_state_dict", "model", "net", "student", "teacher")
"""Where training scripts keep a state dict among other things."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and Lightning put before the names of weights."""
SHOWN = 2


@dataclass(frozen=True)
class GivenWeights:
    """A teacher's weights, as its name has them.

    Attributes:
        file: Where they are, or the hash of the file that they were read from.
        normalise: What inputs they know: ``none`` (images in [0, 1]), ``dataset`` (as the study
            normalises), ``timm`` (as timm's configuration says), or means and standard deviations.
        input_size: Side of the images that they know, in pixels; None where it is the dataset's.
    """

    file: str
    normalise: str
    input_size: int | None


def given_weights(name: str) -> GivenWeights | None:
    """Returns the weights that a model's name gives, None where it gives none."""
    _, options = split_name(name)
    if WEIGHTS not in options:
        return None
    return GivenWeights(str(options[WEIGHTS]), str(options[NORMALISE]), options.get(INPUT_SIZE))


def with_hash(name: str) -> tuple[str, Path | None]:
    """Returns a model's name with the hash of its weights in place of their path, and the path.

    Raises:
        ModelError: If the file is not there, or holds no state dict.
    """
    given = given_weights(name)
    if given is None:
        return name, None
    file = expanded(given.file).absolute()
    model, options = split_name(name)
    return join_name(model, {**options, WEIGHTS: hash_of(file)}), file


def hash_of(file: Path) -> str:
    """Returns the hash by which a file of weights is known.

    Raises:
        ModelError: If it is not there.
    """
    try:
        stat = file.stat()
        return _hash_of(file, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise ModelError(f"the weights {file} cannot be read: {error.strerror}") from error


@lru_cache(maxsize=16)
def _hash_of(file: Path, changed: int, size: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:HASH_LENGTH]


def read_weights(file: Path) -> dict[str, Tensor]:
    """Reads a state dict: safetensors, or what ``torch.save`` wrote, read as weights alone.

    Raises:
        ModelError: If it is no such file, or holds no state dict.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            found: Any = load_file(file)
        else:
            with warnings.catch_warnings(action="ignore"):
                found = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"there are no weights {file}") from error
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{file} holds more than weights, or is damaged, and is not opened: save "
            "model.state_dict() alone, as .safetensors or by torch.save"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(f"{file} cannot be read as weights: {error}") from error
    for key in WRAPPED_IN:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not any(isinstance(v, Tensor) for v in found.values()):
        raise ModelError(f"{file} holds no state dict: save model.state_dict()")
    return {str(key): value for key, value in found.items() if isinstance(value, Tensor)}


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Loads weights into a model; prefixes that wrappers put before all of their names go.

    Raises:
        ModelError: If they are not those of the model.
    """
    own = model.state_dict()
    while prefix := next((p for p in PREFIXES if _all_begin(p, weights)), None):
        if _all_begin(prefix, own):
            break
        weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    architecture = without_weights(name)
    shapes = [
        f"{key} is {tuple(weights[key].shape)} there and {tuple(value.shape)} here"
        for key, value in own.items()
        if key in weights and weights[key].shape != value.shape
    ]
    missing, unknown = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    found = [
        *(f"it lacks {_few(missing)}" for _ in missing[:1]),
        *(f"it has {_few(unknown)} beside" for _ in unknown[:1]),
        *shapes[:1],
    ]
    if found:
        raise ModelError(f"the weights are not those of {architecture!r}: {'; '.join(found)}")
    model.load_state_dict(dict(weights))


def statistics_of(normalise: str, channels: int) -> tuple[list[float], list[float]] | None:
    """Returns mean and standard deviation by channel; None where the word is ``dataset``/``timm``.

    Raises:
        ModelError: If they are of another number of channels.
    """
    values = normalise_of(normalise)
    if values is None:
        return None
    mean, std = (list(each) * channels if len(each) == 1 else list(each) for each in values)
    if len(mean) != channels or len(std) != channels:
        raise ModelError(
            f"normalise={normalise} has {max(len(mean), len(std))} channels, and the images have "
            f"{channels}"
        )
    return mean, std


def _all_begin(prefix: str, names: Iterable[str]) -> bool:
    return all(name.startswith(prefix) for name in names)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

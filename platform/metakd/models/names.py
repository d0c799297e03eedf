"""Models by name: which there are, which suit images of a size, and the options in a name.

Nothing here imports PyTorch or timm: a name is refused before either is needed.
"""

import ast
import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from metakd.errors import UserError
from metakd.home import expanded
from metakd.models.architectures import CATALOGUE
from metakd.models.installed_models import model_names, with_place
from metakd.models.timm_names import may_be_timm_model, timm_names_like
from metakd.own_code import OWN_NAME, OwnCodeError, is_there

MODEL_NAMES = tuple(CATALOGUE)
TIMM_PREFIX = "timm:"
OWN_MODEL = re.compile(rf"(?!{TIMM_PREFIX}){OWN_NAME.pattern}(?:@(?P<version>[0-9a-f]{{8}}))?")
"""A model of a user's own: the module, what makes it, and perhaps the version of its code."""
TINY_SIDE, SMALL_SIDE = 16, 64
"""Images below so many pixels a side get the models for 8×8 and for 32×32 by default."""
BETWEEN_TEACHERS = "+"
"""Stands between the models of several teachers at once."""
CHECKPOINT, WEIGHTS = "checkpoint_path", "weights"
WEIGHT_OPTIONS = ("pretrained", CHECKPOINT, WEIGHTS)
NORMALISE, INPUT_SIZE = "normalise", "input_size"
"""What inputs given weights know; of a model without them these are options like others."""
TRAINED_BY = "augmentation"
"""In the name of a teacher that is trained by another recipe of augmentation than the usual one."""
NORMALISE_WORDS = ("none", "dataset", "timm")
LARGEST_INPUT = 4096
LARGEST_OPTION, MOST_BLOCKS = 100_000, 256
"""No whole number among a model's options is larger, and no model is deeper."""

ImageShape = tuple[int, int, int]
Choice = TypeVar("Choice")


class ModelError(UserError):
    """A model that does not exist, or cannot be built for these images."""


def require_known_model(name: str) -> None:
    """Refuses a model that exists neither here nor in timm.

    Args:
        name: As ``create_model`` takes it.

    Raises:
        ModelError: If there is no such model, or two, or an option is not written key=value, stands
            there twice, or is too large a number.
    """
    try:
        model, options = split_name(with_place(name))
    except OwnCodeError as error:
        raise ModelError(f"model {name!r}: {error}") from error
    _require_inputs(name, options)
    for option, value in options.items():
        most = MOST_BLOCKS if option == "depth" else LARGEST_OPTION
        if isinstance(value, int) and abs(value) > most:
            raise ModelError(f"{option} of a model must be at most {most:,}, got {name!r}")
    of_training = {WEIGHTS, TRAINED_BY}.intersection(options)
    if (without_weights(name) if of_training else name) in CATALOGUE:
        return
    own = OWN_MODEL.fullmatch(model)
    if own is not None:
        _require_module(own["module"], name)
        return
    if model.startswith(TIMM_PREFIX) and may_be_timm_model(model.removeprefix(TIMM_PREFIX)):
        return
    raise unknown_model(name)


def unknown_model(name: str) -> ModelError:
    """Returns the error of a name that no model has, with names that resemble it."""
    timm_name = name.partition(",")[0].removeprefix(TIMM_PREFIX)
    known = model_names()
    close = difflib.get_close_matches(name, known, n=2)
    close += [TIMM_PREFIX + match for match in timm_names_like(timm_name)]
    return ModelError(
        f"unknown model {name!r}, expected one of {', '.join(known)}, {TIMM_PREFIX}NAME or "
        "MODULE:FACTORY" + (f"; did you mean {', '.join(close)}?" if close else "")
    )


def _require_module(module: str, name: str) -> None:
    """Refuses a module of a user's own that is not there; what is in it is not imported yet."""
    top = module.partition(".")[0]
    if not is_there(module):
        raise ModelError(
            f"there is no module {top!r}, which {name!r} names: models of your own are written "
            f"MODULE:FACTORY, and {top}.py or the package {top} lies in {Path.cwd()} or is "
            f"installed; others are {', '.join(MODEL_NAMES[:2])}, ... and {TIMM_PREFIX}NAME"
        )


def default_student(image_shape: ImageShape) -> str:
    """Returns the name of a student whose size suits images of shape (C, H, W)."""
    return _by_side(image_shape, "digit_cnn_tiny", "cifar_cnn_tiny", "timm:resnet18")


def default_teacher(image_shape: ImageShape) -> str:
    """Returns the name of a teacher whose size suits images of shape (C, H, W)."""
    return _by_side(image_shape, "digit_cnn", "cifar_cnn", "timm:resnet50")


def teacher_ladder(image_shape: ImageShape) -> tuple[str, ...]:
    """Returns teachers of rising size and accuracy for images of shape (C, H, W).

    The first is the default student's own model. Test accuracies in %: on digits 96.8, 98.8, 98.9
    and 99.4 (means of four seeds), on CIFAR-10 after four epochs 67.7, 68.4, 72.2 and 77.2.
    """
    digits = ("digit_cnn_tiny", "digit_cnn_small", "digit_cnn_medium", "digit_cnn_deep")
    pictures = ("cifar_cnn_tiny", "cifar_cnn_small", "cifar_cnn", "cifar_cnn_deep")
    large = ("timm:resnet18", "timm:resnet34", "timm:resnet50", "timm:resnet101")
    return _by_side(image_shape, digits, pictures, large)


def teacher_ensemble(image_shape: ImageShape) -> tuple[str, ...]:
    """Returns three teachers of different size and architecture for images of shape (C, H, W)."""
    return _by_side(
        image_shape,
        ("digit_mlp", "digit_cnn_small", "digit_cnn_deep"),
        ("cifar_resnet8", "cifar_cnn", "cifar_cnn_deep"),
        ("timm:resnet50", "timm:convnext_tiny", "timm:vit_small_patch16_224"),
    )


def student_ladder(image_shape: ImageShape) -> tuple[str, ...]:
    """Returns two students of rising size for images of shape (C, H, W)."""
    return _by_side(
        image_shape,
        ("digit_mlp", "digit_cnn_tiny"),
        ("cifar_cnn_tiny", "cifar_resnet8"),
        ("timm:mobilenetv3_small_100", "timm:resnet18"),
    )


def split_name(name: str) -> tuple[str, dict[str, Any]]:
    """Returns a model's name without its options, and the options.

    Raises:
        ModelError: If an option is not written key=value, or stands there twice.
    """
    model, *words = name.split(",")
    options: dict[str, Any] = {}
    for key, value in (_parse_option(name, word) for word in words):
        if key in options:
            raise ModelError(f"option {key} stands twice in {name!r}: leave one of them out")
        options[key] = value
    return model, options


def join_name(model: str, options: Mapping[str, Any]) -> str:
    """Returns a model's name with options, as ``split_name`` takes it apart."""
    return ",".join([model, *(f"{key}={value}" for key, value in options.items())])


def at_home(level: str) -> str:
    """Returns the name of a model, or of several at once, with ``~`` in its checkpoint expanded.

    Raises:
        HomeError: If there is no such home folder.
    """
    models = [map(_word_at_home, model.split(",")) for model in level.split(BETWEEN_TEACHERS)]
    return BETWEEN_TEACHERS.join(",".join(words) for words in models)


def _word_at_home(word: str) -> str:
    key, _, path = word.partition("=")
    return f"{key}={expanded(path)}" if key in (CHECKPOINT, WEIGHTS) and path[:1] == "~" else word


def require_checkpoint(name: str) -> None:
    """Refuses a model whose name brings weights from a file that is not there, or not readable.

    Raises:
        ModelError: If so.
    """
    checkpoint = split_name(name)[1].get(CHECKPOINT)
    if not checkpoint:
        return
    try:
        with expanded(str(checkpoint)).open("rb"):
            return
    except FileNotFoundError as error:
        raise ModelError(f"there is no checkpoint {checkpoint}, which {name!r} needs") from error
    except OSError as error:
        raise ModelError(
            f"the checkpoint {checkpoint}, which {name!r} needs, cannot be read: {error.strerror}"
        ) from error


def brings_weights(name: str) -> bool:
    """Says whether a model's name brings weights.

    Raises:
        ModelError: If an option is not written key=value.
    """
    _, options = split_name(name)
    return any(options.get(option) for option in WEIGHT_OPTIONS)


def trained_by(model: str, recipe: str) -> str:
    """Returns what a teacher is called that is trained by another augmentation than the usual one.

    Args:
        model: Its model; one that says so already stays as it is.
        recipe: The name of the augmentation; in that of the teacher it has no plus, which stands
            between teachers.
    """
    if training_recipe(model) is not None:
        return model
    return f"{model},{TRAINED_BY}={recipe.replace(BETWEEN_TEACHERS, '_')}"


def training_recipe(name: str) -> str | None:
    """Returns the augmentation that a teacher's name says it is trained by; None if it says none.

    Raises:
        ModelError: If an option is not written key=value.
    """
    recipe = split_name(name)[1].get(TRAINED_BY)
    return None if recipe is None else str(recipe).replace("_", BETWEEN_TEACHERS)


def without_weights(name: str) -> str:
    """Returns the name of the same architecture with new weights, however it was trained.

    Raises:
        ModelError: If an option is not written key=value.
    """
    model, options = split_name(name)
    of_inputs = (NORMALISE, INPUT_SIZE) if WEIGHTS in options else ()
    dropped = {*WEIGHT_OPTIONS, *of_inputs, TRAINED_BY}
    return join_name(model, {k: v for k, v in options.items() if k not in dropped})


def normalise_of(words: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Returns means and standard deviations by channel; None for ``dataset`` and ``timm``.

    Args:
        words: One of ``NORMALISE_WORDS``, or MEAN/STD, each a number or one a channel between
            colons: ``0.5/0.5``, ``0.491:0.482:0.447/0.247:0.243:0.262``.

    Raises:
        ModelError: If it is neither.
    """
    if words in ("dataset", "timm"):
        return None
    if words == "none":
        return (0.0,), (1.0,)
    try:
        mean, std = (tuple(map(float, part.split(":"))) for part in words.split("/"))
    except ValueError as error:
        raise ModelError(
            f"{NORMALISE} is {', '.join(NORMALISE_WORDS)} or MEAN/STD such as 0.5/0.25 or "
            f"0.49:0.48:0.45/0.25:0.24:0.26, got {words!r}"
        ) from error
    if not all(math.isfinite(value) for value in mean) or not all(0 < value < 1e6 for value in std):
        raise ModelError(f"{NORMALISE} needs finite means and deviations above 0, got {words!r}")
    return mean, std


def _require_inputs(name: str, options: Mapping[str, Any]) -> None:
    """Refuses weights of which nothing says what their inputs were."""
    if WEIGHTS not in options:
        return
    if NORMALISE not in options:
        raise ModelError(
            f"{name!r} brings weights: say how their images were normalised, by "
            f"--teacher-normalise or {NORMALISE}=, as {', '.join(NORMALISE_WORDS)} (of images in "
            "[0, 1]: not at all, by this dataset's statistics, by timm's of the model) or MEAN/STD"
        )
    normalise_of(str(options[NORMALISE]))
    size = options.get(INPUT_SIZE)
    if size is not None and not (isinstance(size, int) and 1 <= size <= LARGEST_INPUT):
        raise ModelError(
            f"{INPUT_SIZE} must be a whole number of pixels up to {LARGEST_INPUT:,}, got {size!r}"
        )


def _by_side(image_shape: ImageShape, tiny: Choice, small: Choice, large: Choice) -> Choice:
    side = max(image_shape[1:])
    if side < TINY_SIDE:
        return tiny
    return small if side < SMALL_SIDE else large


def _parse_option(name: str, option: str) -> tuple[str, Any]:
    key, equals, value = option.partition("=")
    if not (key.isidentifier() and equals and value):
        raise ModelError(f"model options are written key=value, got {option!r} in {name!r}")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return key, value

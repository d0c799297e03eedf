"""Teacher and student of the published CIFAR-100 tables, by the names that these give them."""

from metakd.models.names import ModelError

PUBLISHED_NAMES = {
    **{f"resnet{depth}": f"cifar_resnet{depth}" for depth in (20, 32, 50, 56, 110)},
    **{name: f"cifar_{name}" for name in ("resnet8x4", "resnet32x4", "vgg8", "vgg13")},
    **{name: f"cifar_{name}" for name in ("wrn_16_2", "wrn_40_1", "wrn_40_2", "mobilenetv2")},
    "shufflev1": "cifar_shufflenetv1",
    "shufflev2": "cifar_shufflenetv2",
}
"""Models of metakd by their names in RepDistiller and the papers that follow it."""

STANDARD_PAIRS = (
    *("resnet56:resnet20", "resnet110:resnet20", "resnet110:resnet32", "resnet32x4:resnet8x4"),
    *("wrn_40_2:wrn_16_2", "wrn_40_2:wrn_40_1", "vgg13:vgg8"),
    *("vgg13:mobilenetv2", "resnet50:mobilenetv2", "resnet50:vgg8"),
    *("resnet32x4:shufflev1", "resnet32x4:shufflev2", "wrn_40_2:shufflev1"),
)
"""TEACHER:STUDENT of RepDistiller's tables: first those of one architecture, then of two."""

LIGHT_STUDENTS = ("cifar_mobilenetv2", "cifar_shufflenetv1", "cifar_shufflenetv2")
"""Trained at a fifth of the others' learning rate there."""


def models_of(pair: str) -> tuple[str, str]:
    """Returns the models of a pair, teacher and student, by metakd's names.

    Args:
        pair: TEACHER:STUDENT, by names of the tables, for example "resnet32x4:resnet8x4". Case does
            not matter, nor whether parts are joined by "-" or "_".

    Raises:
        ModelError: If it is no pair, or one of the models is unknown.
    """
    names = pair.lower().replace("-", "_").split(":")
    if len(names) != 2:
        raise ModelError(f"a pair is TEACHER:STUDENT, such as {STANDARD_PAIRS[3]}, got {pair!r}")
    for name in names:
        if name not in PUBLISHED_NAMES:
            raise ModelError(
                f"unknown model {name!r} in the pair {pair!r}: choose from "
                f"{', '.join(PUBLISHED_NAMES)}; others are given by --teacher and --student"
            )
    teacher, student = (PUBLISHED_NAMES[name] for name in names)
    return teacher, student

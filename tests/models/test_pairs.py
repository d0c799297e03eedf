"""The pairs of the published tables: their names, and the models behind them."""

import re

import pytest

from metakd.models.architectures import CATALOGUE
from metakd.models.names import ModelError
from metakd.models.pairs import (
    LIGHT_STUDENTS,
    PUBLISHED_NAMES,
    STANDARD_PAIRS,
    models_of,
)


def test_every_published_name_is_a_model_here() -> None:
    assert set(PUBLISHED_NAMES.values()) <= set(CATALOGUE)
    assert set(LIGHT_STUDENTS) <= set(PUBLISHED_NAMES.values())


@pytest.mark.parametrize("pair", STANDARD_PAIRS)
def test_a_standard_pair_is_of_two_models(pair: str) -> None:
    teacher, student = models_of(pair)
    assert teacher != student


def test_a_pair_is_found_however_a_table_writes_it() -> None:
    assert models_of("WRN-40-2:WRN-16-2") == ("cifar_wrn_40_2", "cifar_wrn_16_2")
    assert models_of("ResNet50:MobileNetV2") == ("cifar_resnet50", "cifar_mobilenetv2")


@pytest.mark.parametrize(
    ("pair", "line"),
    [
        ("resnet56", "a pair is TEACHER:STUDENT, such as resnet32x4:resnet8x4, got 'resnet56'"),
        ("a:b:c", "got 'a:b:c'"),
        ("resnet56:resnet21", "unknown model 'resnet21' in the pair 'resnet56:resnet21': choose"),
    ],
)
def test_what_is_no_pair_is_refused(pair: str, line: str) -> None:
    with pytest.raises(ModelError, match=re.escape(line)):
        models_of(pair)

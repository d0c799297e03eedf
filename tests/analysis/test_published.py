"""Published numbers stand beside a study of the same pair and protocol, and beside no other."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_study import MadeUpStudy

from metakd.analysis.published import (
    EPOCHS,
    TEACHER,
    PublishedNumber,
    PublishedPair,
    published_numbers,
    published_pairs,
)
from metakd.analysis.settings import SettingResult
from metakd.analysis.summarise import summarise, write_summary
from metakd.models.pairs import STANDARD_PAIRS, models_of
from metakd.study.presets import PRESETS

SPEC = {"recipe": "cifar100-published", "epochs": None, "teacher_epochs": None}
BIG, SMALL = models_of("resnet32x4:resnet8x4")


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> SettingResult:
    study = MadeUpStudy(
        datasets=("cifar100",), scales=(1.0,), augmentations=("standard",),
        teachers=(BIG,), students=(SMALL,),
    )  # fmt: skip
    (found,) = summarise(study.write(tmp_path_factory.mktemp("study") / "out")).settings
    return found


def test_every_standard_pair_has_its_teacher_its_student_and_kd() -> None:
    assert set(published_numbers()) == {models_of(pair) for pair in STANDARD_PAIRS}
    for numbers in published_numbers().values():
        found = {number.method: number.test_pp for number in numbers}
        assert len(found) == len(numbers)
        assert found["no teacher"] < found["KD (τ = 4)"]
        assert {number.epochs for number in numbers} <= {None, 240, 480}
        assert all(50 < number.test_pp < 85 and number.source for number in numbers)
        assert [n.test_pp for n in numbers] == sorted(n.test_pp for n in numbers)


def test_the_same_pair_and_protocol_have_published_numbers(setting: SettingResult) -> None:
    preset = PRESETS["cifar100-published"].spec
    for spec in (SPEC, {**SPEC, "epochs": EPOCHS}, {**preset}):
        (pair,) = published_pairs(spec, [setting])
        assert pair.key == setting.key
        assert {n.method for n in pair.numbers} >= {"KD (τ = 4)", "WTTM", "RLD"}
        assert TEACHER not in {n.method for n in pair.numbers}
    for name in ("parquet:cifar100", "hf:uoft-cs/cifar100"):
        assert published_pairs(SPEC, [replace(setting, dataset=name)])


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        ({"recipe": None}, {}),
        ({"recipe": "cifar"}, {}),
        ({"epochs": 60}, {}),
        ({"teacher_epochs": 8}, {}),
        ({}, {"scale": 0.1}),
        ({}, {"augmentation": "mixup"}),
        ({}, {"dataset": "cifar10"}),
        ({}, {"teacher": SMALL}),
        ({}, {"teacher": f"{BIG},augmentation=mixup"}),
    ],
)
def test_another_protocol_has_none(
    spec: dict[str, Any], change: dict[str, Any], setting: SettingResult
) -> None:
    assert published_pairs({**SPEC, **spec}, [replace(setting, **change)]) == ()


def test_they_enter_no_number_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was published, all else of the summary is the same."""
    out = MadeUpStudy().write(tmp_path / "out")
    without = json.loads(write_summary(out, summarise(out)).read_text())
    number = PublishedNumber("DKD", 99.9, 4, EPOCHS, "a paper")
    monkeypatch.setattr(
        "metakd.analysis.summarise.published_pairs",
        lambda spec, settings: (PublishedPair(settings[0].key, (number,)),),
    )
    with_number = json.loads(write_summary(out, summarise(out)).read_text())
    assert with_number.pop("published") != without.pop("published") == []
    assert with_number == without


def test_the_page_of_published_numbers_has_all_of_them() -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "reference" / "published.md").read_text(encoding="utf-8")
    found = set()
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "method":
            pairs = [models_of(cell.replace(" → ", ":")) for cell in cells[1:-3]]
        elif " → " not in line and len(cells) > 4 and not cells[0].startswith("-"):
            method, *numbers, runs, epochs, source = cells
            found |= {
                (pair, method, float(number), runs, epochs, source)
                for pair, number in zip(pairs, numbers, strict=True)
                if number != "–"
            }
    assert found == {
        (pair, n.method, n.test_pp, str(n.runs or "–"), str(n.epochs or "–"), n.source)
        for pair, numbers in published_numbers().items()
        for n in numbers
    }

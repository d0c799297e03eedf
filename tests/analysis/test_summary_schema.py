"""docs/summary.md holds every field of summary.json, with its type, and no other."""

import dataclasses
import re
import types
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest

from metakd.analysis.questions import QUESTIONS
from metakd.analysis.sentences import Answer
from metakd.analysis.summary import SUMMARY_VERSION, Summary

DOCUMENT = Path(__file__).parents[2] / "docs" / "summary.md"
NAMES = {str: "text", float: "number", int: "whole number", bool: "true or false"}


def parts(kind, found: dict[str, type]) -> dict[str, type]:
    """Collects the dataclasses that a type is made of, by name."""
    if kind is Answer:
        for question in QUESTIONS.values():
            parts(question.analysis.answer_type, found)
    elif dataclasses.is_dataclass(kind) and kind.__name__ not in found:
        found[kind.__name__] = kind
        for hint in get_type_hints(kind).values():
            parts(hint, found)
    for argument in get_args(kind):
        parts(argument, found)
    return found


def in_words(kind) -> str:
    if kind is Answer:
        return "by question"
    if dataclasses.is_dataclass(kind):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if get_origin(kind) is tuple:
        return f"list of {in_words(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "text by name"
    if isinstance(kind, types.UnionType):
        [declared] = [part for part in get_args(kind) if part is not type(None)]
        return f"{in_words(declared)} or null"
    return NAMES[kind]


def documented() -> dict[str, dict[str, str]]:
    sections = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    row = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
    return {
        section.partition("\n")[0]: {name: kind for name, kind, _ in row.findall(section)}
        for section in sections
    }


PARTS = parts(Summary, {})


def test_every_part_has_its_section() -> None:
    assert list(documented()) == list(PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_every_field_is_described_with_its_type(name) -> None:
    hints = get_type_hints(PARTS[name])
    assert documented()[name] == {field: in_words(kind) for field, kind in hints.items()}
    assert list(documented()[name]) == list(hints)


def test_the_version_is_the_codes() -> None:
    assert f"Version of this schema, {SUMMARY_VERSION} here." in DOCUMENT.read_text(
        encoding="utf-8"
    )

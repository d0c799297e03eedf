"""Writes the sections of docs/summary.md from the types: ``python docs/summary_fields.py``.

What stands before the first section is written by hand; ``--check`` changes nothing and exits 1
where the page is not what the types say.
"""

import dataclasses
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from metakd.analysis.questions import QUESTIONS
from metakd.analysis.sentences import Answer
from metakd.analysis.summary import Summary

PAGE = Path(__file__).parent / "summary.md"
NAMES = {str: "text", float: "number", int: "whole number", bool: "true or false"}


def page() -> str:
    """Returns the page as it should be."""
    head = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    sections = "\n\n".join(section(kind) for kind in parts(Summary, {}).values())
    return f"{head}\n{sections}\n"


def parts(kind: Any, found: dict[str, type]) -> dict[str, type]:  # noqa: ANN401 - a type
    """Collects the dataclasses that a type is made of, by name."""
    if kind is Answer:
        for question in QUESTIONS.values():
            parts(question.analysis.answer_type, found)
    elif dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__name__ not in found:
        found[kind.__name__] = kind
        for hint in get_type_hints(kind).values():
            parts(hint, found)
    for argument in get_args(kind):
        parts(argument, found)
    return found


def section(kind: type) -> str:
    """Returns a type's heading, description and table.

    Raises:
        KeyError: If a field is not described in the docstring of its class.
    """
    described = {name: text for base in reversed(kind.__mro__) for name, text in attributes(base)}
    rows = [
        f"| `{name}` | {in_words(hint)} | {in_markdown(described[name])} |"
        for name, hint in get_type_hints(kind).items()
    ]
    about = in_markdown(inspect.getdoc(kind) or "").partition("Attributes:")[0].strip()
    head = f"## {kind.__name__}\n\n{about}\n\n| field | type | meaning |\n|---|---|---|"
    return "\n".join([head, *rows])


def attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Yields the attributes that a class's own docstring describes."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    for name, meaning in re.findall(r"^    (\w+): (.+(?:\n     .+)*)", text, re.MULTILINE):
        yield name, " ".join(meaning.split())


def in_words(kind: Any) -> str:  # noqa: ANN401 - a type
    """Returns a type as a reader of JSON sees it."""
    if kind is Answer:
        return "by question"
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if get_origin(kind) is tuple:
        return f"list of {in_words(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "text by name"
    if isinstance(kind, types.UnionType):
        [declared] = [part for part in get_args(kind) if part is not types.NoneType]
        return f"{in_words(declared)} or null"
    return NAMES[kind]


def in_markdown(text: str) -> str:
    """Returns a docstring's text with links, code and JSON's null."""
    text = re.sub(r":class:`~?(?:[\w.]+\.)?(\w+)`", lambda m: f"[{m[1]}](#{m[1].lower()})", text)
    text = re.sub(r"(?<=[.:] )None\b", "Null", text.replace("``", "`"))
    return re.sub(r"\bNone\b", "null", text)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")

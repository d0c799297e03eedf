"""Writes pages of the reference from the code: ``python docs/generated.py``.

What stands before a page's first section is written by hand; ``--check`` changes nothing and exits
with 1 where a page is not what the code says.
"""

import dataclasses
import inspect
import re
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from metakd.analysis.questions import QUESTIONS
from metakd.analysis.sentences import Answer
from metakd.analysis.summary import Summary
from metakd.results.schema import SEARCH_COLUMNS, STEP_COLUMNS, TRIAL_COLUMNS, Column

REFERENCE = Path(__file__).parent / "reference"
NAMES = {str: "text", float: "number", int: "whole number", bool: "true or false"}


def pages() -> dict[Path, str]:
    """Returns the pages as they should be."""
    tables = {"trials": TRIAL_COLUMNS, "steps": STEP_COLUMNS, "searches": SEARCH_COLUMNS}
    sections = {
        "summary.md": [section(kind) for kind in parts(Summary, {}).values()],
        "store.md": [table(name, columns) for name, columns in tables.items()],
    }
    return {
        REFERENCE / name: "\n\n".join([head(REFERENCE / name), *found]) + "\n"
        for name, found in sections.items()
    }


def head(page: Path) -> str:
    """Returns what stands before a page's first section."""
    return page.read_text(encoding="utf-8").partition("\n## ")[0].rstrip("\n")


def table(name: str, columns: Iterable[Column]) -> str:
    """Returns a table of the store as a section."""
    rows = [f"| `{c.name}` | `{str(c.type).partition('<')[0]}` | {c.about} |" for c in columns]
    heads = (f"## {name}", "", "| column | type | what it holds |", "|---|---|---|")
    return "\n".join([*heads, *rows])


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
    for file, text in pages().items():
        if "--check" not in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
        elif file.read_text(encoding="utf-8") != text:
            sys.exit(f"{file} is not what the code says: run python docs/generated.py")

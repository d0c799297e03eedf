"""Which models timm has, read off its source: to import it takes seconds."""

import difflib
import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HUB_MODEL = re.compile(r"hf-hub:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
"""A model on the Hugging Face Hub, as timm names it."""


def may_be_timm_model(name: str) -> bool:
    """Says whether timm's source defines a model of this name, or an older name for one.

    What follows a dot names weights; whether they exist is known once timm is imported. Whether a
    model is on the Hub is known once it was looked for.
    """
    if HUB_MODEL.fullmatch(name) is not None:
        return True
    if "timm" in sys.modules and sys.modules["timm"].is_model(name):
        # One that other code registered with timm.
        return True
    return name.partition(".")[0] in _names_in_timm()


def timm_names_like(name: str) -> list[str]:
    """Returns up to two names of timm's models that resemble this one."""
    names = re.findall(r"@register_model\s+def (\w+)\(", _timm_source())
    return difflib.get_close_matches(name, names, n=2)


@cache
def _timm_source() -> str:
    found = find_spec("timm")
    folders = found.submodule_search_locations if found else None
    files = [file for folder in folders or () for file in Path(folder, "models").glob("*.py")]
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(files))


@cache
def _names_in_timm() -> frozenset[str]:
    """Returns the names of functions and of dictionaries' keys in timm's definitions of models."""
    found = re.findall(r"def (\w+)\(|['\"](\w+)['\"]\s*:", _timm_source())
    return frozenset(name for pair in found for name in pair if name)

"""``summary.json``: a Summary on disk."""

import dataclasses
import json
import math
import types
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from metakd.analysis.summary import SUMMARY_VERSION, Summary
from metakd.atomic import new_file
from metakd.results.study import StoreError

SUMMARY_FILE = "summary.json"
DECIMALS = 6


def write_summary(out: Path, summary: Summary) -> Path:
    """Writes ``summary.json``: sorted keys, six decimals, null where there is no number.

    Returns:
        Its path.
    """
    text = json.dumps(
        _plain(summary), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    path = out / SUMMARY_FILE
    with new_file(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")
    return path


def read_summary(out: Path) -> Summary:
    """Reads ``summary.json``.

    Raises:
        StoreError: If it is absent, damaged, or of another version.
    """
    path = out / SUMMARY_FILE
    if not path.is_file():
        raise StoreError(f"{out} holds no {SUMMARY_FILE}: run the analysis of this study first")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["summary_version"] == SUMMARY_VERSION:
            summary: Summary = _typed(Summary, values)
            return summary
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path} is damaged: delete it and run the analysis again") from error
    raise StoreError(f"{path} is of another version of metakd: run the analysis again")


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        # Plus zero: of a rounded −0.0 only 0.0 remains.
        return round(value, DECIMALS) + 0.0 if math.isfinite(value) else None
    return value


def _typed(kind: Any, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Turns JSON back into the type that a field declares."""
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        fields = dataclasses.fields(kind)
        return kind(**{f.name: _typed(hints[f.name], value[f.name]) for f in fields})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        return tuple(_typed(get_args(kind)[0], item) for item in value)
    if isinstance(kind, types.UnionType):
        declared = next(member for member in get_args(kind) if member is not type(None))
        return None if value is None else _typed(declared, value)
    if kind is float:
        return math.nan if value is None else float(value)
    return value

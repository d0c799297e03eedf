"""Options in a YAML file: read by ``--config FILE``, and written into every results folder."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from metakd.atomic import new_file
from metakd.home import expanded
from metakd.results.study import CONFIG_FILE
from metakd.study.spec import SpecError

CONFIG = "--config"
OF_ONE_RUN = (
    *("--out", "--scratch", "--cluster", "--dry-run", "--assume", "--plan-power", "--no-report"),
    CONFIG,
)
"""What a study does not write down: it is not of the study, but of where and how it ran once."""


def with_config(words: Sequence[str], options: Collection[str]) -> list[str]:
    """Returns a command line in which the options of ``--config FILE`` stand before all others.

    So those that are given beside the file override it.

    Args:
        words: The words.
        options: Those that a study has, ``--seeds`` say.

    Raises:
        SpecError: If there is no such file, or it holds something else.
    """
    rest, files = list(words), []
    for place, word in enumerate(words):
        option, equals, file = word.partition("=")
        if option != CONFIG:
            continue
        if not equals:
            file = words[place + 1] if place + 1 < len(words) else ""
            rest[place + 1 : place + 2] = [""]
        rest[place] = ""
        files.append(file)
    if not files:
        return rest
    if len(files) > 1 or not files[0] or files[0].startswith("--"):
        raise SpecError(f"{CONFIG} takes one file, such as {CONFIG} study.yaml")
    given = _read(expanded(files[0]), options)
    return [*given, *(word for word in rest if word)]


def options_in(words: Sequence[str], options: Collection[str]) -> dict[str, Any]:
    """Returns the options that a command line gives, by name; the last of each counts.

    Those of one run are left out.
    """
    found: dict[str, Any] = {}
    name = ""
    for word in words:
        option, equals, value = word.partition("=")
        if option in options:
            name = option
            found.pop(name, None)
            found[name] = [_value(value)] if equals else []
        elif name:
            found[name].append(_value(word))
    return {
        name.removeprefix("--"): values[0] if len(values) == 1 else values or True
        for name, values in found.items()
        if name not in OF_ONE_RUN
    }


def write_config(out: Path, options: Mapping[str, Any]) -> Path:
    """Writes the options of a study, for ``--config`` of another; returns the file's path."""
    # Only a study that runs writes it.
    import yaml

    path = out / CONFIG_FILE
    with new_file(path) as draft:
        text = yaml.safe_dump(dict(options), sort_keys=False, allow_unicode=True)
        draft.write_text(text, encoding="utf-8")
    return path


def _read(file: Path, options: Collection[str]) -> list[str]:
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SpecError(f"{CONFIG} {file} cannot be read: {reason}") from error
    except yaml.YAMLError as error:
        raise SpecError(f"{CONFIG} {file} is no YAML: {error}") from error
    if found is None:
        return []
    if not isinstance(found, dict):
        raise SpecError(f"{CONFIG} {file} must hold options, such as seeds: 4, got {found!r}")
    words: list[str] = []
    for key, value in found.items():
        option = f"--{str(key).replace('_', '-')}"
        if option not in options or option == CONFIG:
            raise SpecError(
                f"{CONFIG} {file} has {key!r}, which is no option of a study (--help lists them)"
            )
        values = value if isinstance(value, list) else [value]
        if any(isinstance(each, dict | list) for each in values):
            raise SpecError(f"{CONFIG} {file}: {key} takes values or a list of them, got {value!r}")
        if value is not None and value is not False:
            words += [option, *(str(each) for each in values if each is not True)]
    return words


def _value(word: str) -> int | float | str:
    """Returns a word as YAML writes it without quotes, where it comes back as the same word."""
    for kind in (int, float):
        try:
            value = kind(word)
        except ValueError:
            continue
        if str(value) == word:
            return value
    return word

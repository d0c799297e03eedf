"""Versions of all algorithms that decide a trial's result, now and in a stored trial.

A version is part of the content, and so of the id: results of an older algorithm stay in the store
under ids that no plan names any more.
"""

import json
from collections.abc import Mapping
from typing import Any

from metakd.core.distillers import CONFIGS
from metakd.core.recipe import Recipe
from metakd.data.catalogue import RECIPES
from metakd.train.sampling import augmentation_version
from metakd.train.trial import DataSpec


def current_versions() -> dict[str, int]:
    """Returns the version of each distiller, recipe, split and augmentation, by its name."""
    versions = {method: config.version for method, config in CONFIGS.items()}
    for name in RECIPES:
        versions |= augmentation_version(name)
    return {**versions, **Recipe.versions, **DataSpec.versions}


def outdated(config_json: str, now: Mapping[str, int]) -> dict[str, int | None]:
    """Returns the algorithms of a stored trial that have another version now.

    Args:
        config_json: The trial's content.
        now: As ``current_versions`` gives them.

    Returns:
        The version that the trial was made with, by name; its method without a version where the
        content is older than versions are.
    """
    content = json.loads(config_json)
    stored = versions_in(content)
    if not stored:
        return {str(content.get("distiller", {}).get("method")): None}
    return {name: version for name, version in stored.items() if now.get(name) != version}


def versions_in(value: Any) -> dict[str, int | None]:  # noqa: ANN401 - JSON
    """Returns the versions in a content, read back from JSON, by name."""
    found: dict[str, int | None] = {}
    if isinstance(value, dict):
        found |= value.get("versions", {})
        value = [item for name, item in value.items() if name != "versions"]
    if isinstance(value, list):
        for item in value:
            found |= versions_in(item)
    return found

"""Which versions of packages, of Python and of the code made a study's trials."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from metakd.analysis.places import DONE, STOPPED, Row

GIT_COMMIT = "git commit"
COLUMNS = ("status", "ended", "versions_json", "git_commit")
"""What is read of each trial."""
Trials = dict[str, dict[str, int]]
"""By package (or ``python``, ``git commit``), how many trials each version of it made."""


@dataclass(frozen=True)
class MadeWith:
    """Trials that one version made, of something that changed between runs.

    What rows of older stores do not say does not count.

    Attributes:
        what: A package, ``python`` or ``git commit``.
        version: Its version.
        trials: How many finished trials were made with it.
    """

    what: str
    version: str
    trials: int


def trials_by_version(rows: Iterable[Row]) -> Trials:
    """Counts finished trials by version, in the order in which versions came into use.

    What a row does not say, as those of older stores may not, does not count.
    """
    finished = [row for row in rows if row["status"] in (DONE, STOPPED)]
    found: Trials = {}
    for row in sorted(finished, key=_when):
        versions = json.loads(row.get("versions_json") or "{}")
        versions[GIT_COMMIT] = row.get("git_commit")
        for what, version in versions.items():
            if version:
                counts = found.setdefault(what, {})
                counts[version] = counts.get(version, 0) + 1
    return found


def _when(row: Row) -> float:
    ended = row.get("ended")
    return 0.0 if ended is None else float(ended.timestamp())


def changed_between_runs(found: Trials) -> tuple[MadeWith, ...]:
    """Returns the versions of whatever made trials in more than one."""
    return tuple(
        MadeWith(what, version, trials)
        for what, counts in sorted(found.items())
        if len(counts) > 1
        for version, trials in counts.items()
    )


def others_than(now: Mapping[str, str], found: Trials) -> dict[str, dict[str, int]]:
    """Returns the versions that made trials and are not the present ones, by what they are of."""
    others = {
        what: {version: n for version, n in found.get(what, {}).items() if version != present}
        for what, present in now.items()
        if present
    }
    return {what: counts for what, counts in others.items() if counts}

"""Studies side by side: what each found, where they met the same settings, and how they differ.

Nothing is pooled or averaged over studies: a number stands beside its own study's name, and what
makes numbers of two studies incomparable is said before they are shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from metakd.analysis.comparison import Comparison, main_comparison
from metakd.analysis.places import SINGLE
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.settings import SettingResult
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start, listed
from metakd.atomic import new_file
from metakd.dashboards.formats import NONE, Sides, sides_of
from metakd.dashboards.questions import opening
from metakd.dashboards.questions.elements import headline_comparison
from metakd.dashboards.shell import render_page
from metakd.dashboards.svg import interval_bar, reach
from metakd.strategies import label_of

TITLES = {
    "full_grid": "Learned against the full grid",
    "equal_cost_grid": "Learned against a grid of equal cost",
    "no_search": "Learned against no search",
}
# Parts of a spec that say which runs there are, not how one of them is trained.
EXTENT = {
    "name",
    "question",
    "dataset",
    "scales",
    "augmentations",
    "teacher",
    "student",
    "seeds",
    "seed_streams",
    "strategies",
    "temperatures",
    "fixed_tau",
    "margin_pp",
}


@dataclass(frozen=True)
class Study:
    """A study under the name that it has on this page, unique there."""

    name: str
    summary: Summary

    @property
    def tone(self) -> str:
        """The tone of its verdict."""
        return opening(self.summary).tone

    @property
    def is_about_temperatures(self) -> bool:
        """Whether what learns is a temperature."""
        return QUESTIONS[self.summary.question].is_about_temperatures

    @property
    def sides(self) -> Sides:
        """Names of the learner and of the baseline whose differences it shows."""
        return sides_of(self.summary)


@dataclass(frozen=True)
class Difference:
    """Something in which studies differ, or agree: its name and each study's value."""

    what: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class ForestRow:
    """One study's comparison with a baseline, drawn."""

    study: str
    comparison: Comparison
    bar: Markup


@dataclass(frozen=True)
class SharedSetting:
    """A setting that two studies or more have; None where a study did not run it."""

    key: str
    results: tuple[SettingResult | None, ...]


def write_comparison(file: Path, studies: Sequence[tuple[Path, Summary]]) -> Path:
    """Writes the page that compares studies and returns its path.

    Args:
        file: Where to write.
        studies: Folders and what they found, in the order of the page.
    """
    with new_file(file) as draft:
        draft.write_text(render_comparison(named(studies)), encoding="utf-8")
    return file


def render_comparison(studies: Sequence[Study]) -> str:
    """Returns the whole page; the same studies give the same bytes."""
    facts = differences(studies)
    return render_page(
        "side_by_side.html.j2",
        studies=studies,
        heading=heading(studies),
        warnings=warnings(studies),
        forests=forests(studies),
        shared=shared_settings(studies),
        differing=[fact for fact in facts if len(set(fact.values)) > 1],
        agreeing=[fact for fact in facts if len(set(fact.values)) == 1],
    )


def named(studies: Sequence[tuple[Path, Summary]]) -> tuple[Study, ...]:
    """Returns studies under their own names, with their folders where a name comes twice."""
    names = [summary.study for _, summary in studies]
    folders = [out.resolve().name for out, _ in studies]
    if len(set(names)) < len(names):
        names = [f"{name} ({folder})" for name, folder in zip(names, folders, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{summary.study} ({out})" for out, summary in studies]
    return tuple(Study(name, summary) for name, (_, summary) in zip(names, studies, strict=True))


def warnings(studies: Sequence[Study]) -> list[str]:
    """Returns what keeps numbers of these studies from being compared as they stand."""
    found = []
    if _differ(studies, lambda s: s.margin_pp):
        margins = listed([f"±{study.summary.margin_pp:.2g}" for study in studies])
        found.append(
            f"The margins differ ({margins} points): the same verdict word does not claim the same."
        )
    if _differ(studies, _is_of_its_settings):
        here = listed([study.name for study in studies if _is_of_its_settings(study.summary)])
        found.append(
            f"Intervals of {here} are of the very settings, with seeds as the only chance; those "
            "of the others are for other settings like theirs, too, and wider for it."
        )
    found += [
        f"{study.name} has not decided yet: another look may change its word."
        for study in studies
        if study.summary.deciding is not None and study.summary.deciding.goes_on
    ]
    searching = [study for study in studies if study.is_about_temperatures]
    if _differ(studies, lambda s: (s.learner, s.baseline)):
        kinds = dict.fromkeys(f"{s.sides.learned} minus {s.sides.baseline}" for s in studies)
        found.append(f"Differences are not of the same two: {listed(list(kinds))}.")
    if _differ(searching, lambda s: s.temperatures):
        found.append("The grids differ: “the full grid” is another baseline in each study.")
    if _differ(searching, lambda s: s.fixed_tau):
        taus = listed([f"{study.summary.fixed_tau:g}" for study in searching])
        found.append(f"“No search” means another temperature in each study (τ = {taus}).")
    training = sorted(
        fact.what
        for fact in _facts(studies, lambda s: s.spec)
        if fact.what not in EXTENT and len(set(fact.values)) > 1
    )
    if training:
        found.append(
            f"Training differs ({listed(training)}): a setting of the same name is not the same "
            "experiment."
        )
    if _differ(studies, lambda s: s.provenance.get("git commit")):
        found.append("The code was another commit, so a difference may come from the code.")
    for study in studies:
        runs = study.summary.inventory
        if runs.finished < runs.planned:
            found.append(
                f"{study.name} is incomplete: {runs.finished} of {runs.planned} trials are there."
            )
    if not shared_settings(studies):
        found.append("No two studies share a setting: their effects are of different experiments.")
    return found


def forests(studies: Sequence[Study]) -> dict[str, list[ForestRow]]:
    """Returns the comparisons that studies of one kind share, by their titles."""
    searching = [study for study in studies if study.is_about_temperatures]
    found = {TITLES[baseline]: forest(searching, baseline) for baseline in TITLES if searching}
    others = [study for study in studies if study not in searching]
    kinds = [(study.summary.question, study.summary.learner) for study in others]
    for question, learner in dict.fromkeys(kinds):
        alike = [
            study for study, kind in zip(others, kinds, strict=True) if kind == (question, learner)
        ]
        for baseline in dict.fromkeys([*(s.summary.baseline for s in alike), SINGLE]):
            having = [
                s for s in alike if main_comparison(s.summary.baselines, baseline) is not None
            ]
            if having:
                names = (label_of(name, question) for name in (learner, baseline))
                found[at_start(" against ".join(names))] = forest(having, baseline)
    return found


def forest(studies: Sequence[Study], baseline: str) -> list[ForestRow]:
    """Returns every study's comparison with one baseline, on one scale, over its own margin."""
    found = [
        (study, next(c for c in _comparisons(study.summary) if c.baseline == baseline))
        for study in studies
    ]
    span = max(reach([c.effect], study.summary.margin_pp) for study, c in found)
    return [
        ForestRow(study.name, c, interval_bar(c.effect, study.summary.margin_pp, span))
        for study, c in found
    ]


def _comparisons(summary: Summary) -> list[Comparison]:
    if QUESTIONS[summary.question].is_about_temperatures:
        return list(summary.comparisons)
    overall = [baseline.overall for baseline in summary.baselines]
    return [
        replace(each, label=at_start(label_of(each.baseline, summary.question))) for each in overall
    ]


def shared_settings(studies: Sequence[Study]) -> list[SharedSetting]:
    """Returns the settings of two studies or more: same data, augmentation, teacher and student."""
    by_place = [{_place(s): s for s in study.summary.settings} for study in studies]
    places = dict.fromkeys(place for settings in by_place for place in settings)
    rows = [tuple(settings.get(place) for settings in by_place) for place in places]
    return [
        SharedSetting(ran[0].key, row)
        for row in rows
        if len(ran := [setting for setting in row if setting is not None]) > 1
    ]


def differences(studies: Sequence[Study]) -> list[Difference]:
    """Returns everything by which studies were made: spec, results' extent, code, versions."""
    extent: list[tuple[str, Callable[[Summary], str]]] = [
        ("planned trials", lambda s: str(s.inventory.planned)),
        ("finished trials", lambda s: str(s.inventory.finished)),
        ("settings", lambda s: str(len(s.settings))),
        ("complete pairs", lambda s: str(s.inventory.complete_pairs)),
        ("margin", lambda s: f"±{s.margin_pp:.2g} points"),
        ("temperatures", lambda s: ", ".join(f"{tau:g}" for tau in s.temperatures) or NONE),
        ("fixed τ", lambda s: f"{s.fixed_tau:g}"),
        ("strategies", lambda s: ", ".join(s.strategies)),
    ]
    return [
        *(
            Difference(what, tuple(value(study.summary) for study in studies))
            for what, value in extent
        ),
        *(
            fact
            for fact in _facts(studies, lambda s: s.spec)
            if fact.what not in {"temperatures", "fixed_tau", "strategies", "margin_pp"}
        ),
        *_facts(studies, lambda s: s.provenance),
    ]


def heading(studies: Sequence[Study]) -> str:
    """Returns the page's heading: whether the studies' verdicts agree."""
    verdicts = [headline_comparison(study.summary).accuracy_verdict for study in studies]
    distinct = list(dict.fromkeys(verdicts))
    if len(distinct) == 1:
        who = "Both" if len(studies) == 2 else f"All {len(studies)}"
        return f"{who} studies say the same of the accuracy: {distinct[0]}"
    return f"{len(studies)} studies, {len(distinct)} verdicts: {listed(distinct)}"


def _facts(
    studies: Sequence[Study], of: Callable[[Summary], Mapping[str, str]]
) -> list[Difference]:
    names = dict.fromkeys(name for study in studies for name in of(study.summary))
    return [
        Difference(name, tuple(of(study.summary).get(name) or NONE for study in studies))
        for name in names
    ]


def _is_of_its_settings(summary: Summary) -> bool:
    return summary.spec.get("seed_streams", "shared") != "shared"


def _differ(studies: Sequence[Study], of: Callable[[Summary], object]) -> bool:
    return len({of(study.summary) for study in studies}) > 1


def _place(setting: SettingResult) -> tuple[str, float, str, str, str]:
    return (
        setting.dataset,
        setting.scale,
        setting.augmentation,
        setting.teacher,
        setting.student,
    )

"""Which studies can run until they are decided: those that have a primary comparison."""

from metakd.analysis.pair import CONTENDERS
from metakd.study.spec import SpecError, StudySpec

FEWEST_PILOT_SEEDS = 2
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "teacher_gap": (("fixed",),),
    "augmentation_gap": (("fixed",),),
    "transfer": (("grid",), ("meta",)),
    "start_range": (("grid",), ("meta-starts",)),
}


def require_decidable(spec: StudySpec) -> None:
    """Refuses a study that no number of seeds can decide.

    Raises:
        SpecError: If it has a single seed or strategy, or lacks what its question compares.
    """
    if spec.seeds < FEWEST_PILOT_SEEDS:
        raise SpecError(
            f"a pilot of {spec.seeds} seed does not show how much seeds differ: give --seeds "
            f"{FEWEST_PILOT_SEEDS} or more, 4 to 6 say"
        )
    chosen = set(spec.chosen)
    if len(chosen) < len(_needed(spec)):
        raise SpecError(
            f"one strategy, {', '.join(spec.chosen)}, has nothing to be decided against: give "
            f"--strategies {' '.join(names[0] for names in _needed(spec))}, say"
        )
    for needed in (names for names in _needed(spec) if not chosen & set(names)):
        raise SpecError(
            f"strategies {' '.join(spec.chosen)} have no primary comparison to decide: a study "
            f"{spec.question} needs {' or '.join(needed)} among them"
        )


def require_other_settings(spec: StudySpec, settings: int) -> None:
    """Refuses a question of transfer that has no second setting.

    Raises:
        SpecError: If there is none.
    """
    if spec.question == "transfer" and settings < 2:
        raise SpecError("one setting has no temperature from elsewhere: give two scales, say")


def _needed(spec: StudySpec) -> tuple[tuple[str, ...], ...]:
    """Returns the strategies of a question's primary comparison; one of each is enough."""
    if spec.question in CONTENDERS:
        contenders = CONTENDERS[spec.question]
        return contenders.learners, contenders.baselines
    return NEEDED.get(spec.question, (("meta",), ("grid", "fixed")))

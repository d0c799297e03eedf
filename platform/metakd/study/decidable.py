"""Which studies can run until they are decided: those that have a primary comparison."""

from metakd.analysis.questions import QUESTIONS
from metakd.study.spec import SpecError, StudySpec

FEWEST_PILOT_SEEDS = 2


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
    chosen, groups = set(spec.chosen), QUESTIONS[spec.question].needed
    if len(chosen) < len(groups):
        raise SpecError(
            f"one strategy, {', '.join(spec.chosen)}, has nothing to be decided against: give "
            f"--strategies {' '.join(names[0] for names in groups)}, say"
        )
    for needed in (names for names in groups if not chosen & set(names)):
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

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
    for name in spec.continued:
        if name not in spec.chosen:
            raise SpecError(
                f"a strategy that the study does not have cannot go on, got --continued {name}: "
                f"choose from {', '.join(spec.chosen)}"
            )
    going_on = [name for name in spec.chosen if spec.goes_on(name)]
    groups = QUESTIONS[spec.question].needed
    if len(going_on) < len(groups):
        raise SpecError(
            f"one strategy, {', '.join(going_on)}, has nothing to be decided against: give "
            f"{_option(spec)} {' '.join(names[0] for names in groups)}, say"
        )
    for needed in (names for names in groups if set(going_on).isdisjoint(names)):
        raise SpecError(
            f"{_option(spec)} {' '.join(going_on)} has no primary comparison to decide: a study "
            f"{spec.question} needs {' or '.join(needed)} among them"
        )


def _option(spec: StudySpec) -> str:
    return "--continued" if spec.continued else "--strategies"


def require_other_settings(spec: StudySpec, settings: int) -> None:
    """Refuses a question of transfer that has no second setting.

    Raises:
        SpecError: If there is none.
    """
    if spec.question == "transfer" and settings < 2:
        raise SpecError("one setting has no temperature from elsewhere: give two scales, say")

"""Which strategies make sense in a study, and why the others do not."""

from collections.abc import Sequence

from metakd.study.cases import Case
from metakd.study.spec import ALL, SpecError, StudySpec
from metakd.study.strategies import STRATEGIES, Strategy
from metakd.study.strategies.strategy import first_legs


def fitting(spec: StudySpec, cases: Sequence[Case]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the strategies that the study runs, and why it leaves others out.

    Args:
        spec: The study's spec; where it asks for all strategies, those that do not fit are left
            out.
        cases: Its settings and seeds.

    Raises:
        SpecError: If a strategy that it names does not fit, or none does.
    """
    left_out: dict[str, str] = {}
    for name in spec.chosen:
        reasons = (_misfit(name, STRATEGIES[name], spec, case) for case in cases)
        reason = next((reason for reason in reasons if reason), None)
        if reason is not None:
            left_out[name] = reason
    if left_out and spec.strategies != (ALL,):
        name, reason = next(iter(left_out.items()))
        raise SpecError(f"strategy {name!r} does not fit this study: {reason}")
    fits = tuple(name for name in spec.chosen if name not in left_out)
    if not fits:
        raise SpecError("no strategy fits this study: give it a teacher or another --budget")
    return fits, left_out


def _misfit(name: str, strategy: Strategy, spec: StudySpec, case: Case) -> str | None:
    if strategy.asks_teacher and case.setting.teacher is None:
        return "it asks a teacher, and there is none (--teachers none)"
    if case.num_classes < strategy.min_classes:
        return (
            f"it needs {strategy.min_classes} classes, and {case.setting.data.dataset} has "
            f"{case.num_classes}"
        )
    if strategy.needs_range and len(spec.temperatures) < 2:
        return "it searches between the lowest and the highest of --temperatures, and there is one"
    if int(spec.runs_to_spend) < strategy.min_runs:
        return f"it needs a budget of {strategy.min_runs} runs, and has {spec.runs_to_spend:g}"
    if strategy.is_searcher or spec.budget is None:
        return None
    runs = len(first_legs(strategy, case.choices(name, spec)))
    if runs > spec.budget:
        return f"its {runs} runs exceed the budget of {spec.budget:g}"
    return None

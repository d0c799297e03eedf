"""What a study found, as typed data: the one source of every number that anyone prints or draws.

The terminal, the HTML report and the tests all read a :class:`Summary`; nothing computes a
statistic a second time. Accuracies and their differences are in percentage points (``_pp``).
A difference is always learner minus baseline: positive means that learning the temperature (in a
study of several teachers their weights, in one of a teacher that learns to teach the teacher) is
ahead.
"""

import dataclasses
import json
import math
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from metakd.analysis.basics import Basics
from metakd.analysis.comparison import Baseline, Comparison
from metakd.analysis.deciding import Deciding, PrimaryComparison
from metakd.analysis.figures.anytime import AnytimeCurve
from metakd.analysis.figures.degradations import DegradationCurve, LevelChange
from metakd.analysis.figures.gains import GainsOverScales, SearchGain
from metakd.analysis.figures.reliability import LossProfile, SelectionOptimism
from metakd.analysis.figures.responses import ResponseCurve, TauSpans
from metakd.analysis.figures.teaching import QuizFall, TeachingCurve
from metakd.analysis.figures.trajectories import Trajectory
from metakd.analysis.figures.transfer import TransferRegret
from metakd.analysis.figures.weights import FinalWeights, WeightsCurve
from metakd.analysis.inventory import Inventory, LabelUse
from metakd.analysis.made_with import MadeWith
from metakd.analysis.published import PublishedPair
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.reached import CostPoint, WallClock
from metakd.analysis.sentences import Answer, Verdict
from metakd.analysis.settings import SettingCounts, SettingResult
from metakd.analysis.statistics.power import DetectableDifference
from metakd.analysis.students import KeptStudent
from metakd.atomic import new_file
from metakd.results.study import StoreError

SUMMARY_VERSION = 13
SUMMARY_FILE = "summary.json"
DECIMALS = 6


@dataclass(frozen=True)
class Corrections:
    """Over how many p values each table's Holm correction is.

    Attributes:
        strategies: Of ``baselines``, each as a whole.
        equal_cost: Of ``baselines`` at equal cost.
    """

    strategies: int
    equal_cost: int


@dataclass(frozen=True)
class Summary:
    """Everything that a study found; written to ``summary.json``.

    Attributes:
        summary_version: Version of this schema: ``SUMMARY_VERSION``. It grows with every change;
            what was written by another version is made again from the store.
        study: The study's name.
        created: When it was planned, ISO 8601.
        margin_pp: Differences inside ± this many points count as equal: the spec's margin, or one
            test sample where that is coarser.
        fixed_tau: The default temperature, of strategies that do not search.
        temperatures: The grid, ascending.
        strategies: The study's: ``ce`` (no teacher), ``fixed`` (the default
            temperature), ``grid`` (validation's best of the grid), ``meta`` (learned), and any
            others by the names that they have in the table of searches.
        runs: What each strategy costs, by its name: all that it spent over what as many plain
            runs of the same settings take. A plain run keeps its temperature; failed runs are
            shared among those with a result. Strategies of which nothing is known are left out.
        currency: What that counts: ``student_compute_s``, measured seconds of student compute, or
            ``step_equivalents``, forward and backward passes of a batch, where runs lack theirs.
        verdict: The answer in words.
        comparisons: Learning against the full grid, a grid of equal cost, and no search; always
            three, in this order.
        settings: One for each setting, in the study's order.
        counts: How many settings show a difference.
        corrections: Over how many p values each table's Holm correction is.
        responses: Accuracy against a fixed temperature; one for each setting with runs of the grid.
        costs: Accuracy for compute, over all settings.
        transfer: What a temperature tuned elsewhere costs; None below two settings with a complete
            seed.
        trajectories: How learned temperatures moved; one for each setting that has them on record.
        inventory: What was planned and what there is.
        provenance: Where the results came from: command, commit, device, versions by package.
        spec: The question, value by value, as text.
        gains: What searching gains over the default temperature; one for each scale. Empty without
            a grid and a default.
        anytime: The best model so far against compute; one for each strategy with logged
            validation.
        degradations: Accuracy along augmentations or teachers, where the study has two or more.
        profiles: How often a strategy loses how much; one for each strategy. Empty without a grid.
        optimism: How much a searched accuracy flatters; None without a grid of two or more.
        detectable: Which difference a study of some size would show; None below two seeds, where no
            difference varies, or with declared looks: what they would take is in ``deciding``.
        wall_clock: Time to one student by workers; None without timed runs of grid and learning.
        tau_spans: Where the grid's best temperatures and the learned ones lie over the settings.
        level_changes: How accuracy changes along augmentations or teachers, by strategy.
        gains_over_scales: How many runs the grid needs to gain what learning gains; None where
            nothing was learned.
        baselines: Learning against every strategy beside ``fixed`` and ``grid``, in the study's
            order; in a study of several teachers, or of a teacher that learns to teach, the learner
            against all others.
        learner: The strategy whose differences ``baselines`` and ``settings`` hold: ``meta``; in a
            study of several teachers ``mmkd``, in one of a teacher that learns to teach
            ``metadistil``, or the first of its variants that the study has.
        baseline: What ``settings`` compare it with: ``grid``; in a study of several teachers
            ``mean_losses``, or the next of ``mean_logits``, ``single``, ``mean_features``,
            ``camkd``, ``ce`` that has a pair with it; in one of a teacher that learns to teach
            ``fixed``, or the next of ``meta``, ``grid``, ``ce``.
        question: What the verdict is about: ``grid_vs_meta``, ``teacher_gap``,
            ``augmentation_gap``, ``transfer``, ``start_range``, ``multi_teacher`` or
            ``learning_to_teach``.
        answer: The question's own numbers, of a type of its own: ``LevelGaps`` of a gap,
            ``Reuse`` of ``transfer``, ``StartRange`` of ``start_range``, ``Ensemble`` of
            ``multi_teacher``, ``Teaching`` of ``learning_to_teach``; None where too few runs are
            there, and of ``grid_vs_meta``, which the comparisons answer.
        weights: How much each of several teachers counted, by epoch: by strategy, then logits and
            features, then setting.
        final_weights: The same at the end of training, over settings: by strategy, then logits and
            features, then dataset and teachers.
        teaching_curves: Accuracies and quiz losses by epoch: by strategy that changes its teacher,
            then setting.
        quiz_falls: By how much pilots lower the quiz loss, by strategy.
        label_use: How many labels strategies read, and for what. Strategies whose runs do not say
            so, as those of older versions, are left out.
        made_with: What changed between runs: each version of it, and how many trials it made.
        published: What was published of the pairs of models of its settings, by the same protocol.
        students: Of the trained students that were kept, the best of each setting.
        basics: What is to be known before the verdict: whether distillation helps here at all.
        primary: What the headline is about; everything else is secondary.
        deciding: The declared looks at it; None where the study takes one, at its end.
    """

    summary_version: int
    study: str
    created: str
    margin_pp: float
    fixed_tau: float
    temperatures: tuple[float, ...]
    strategies: tuple[str, ...]
    runs: dict[str, float]
    currency: str
    verdict: Verdict
    comparisons: tuple[Comparison, ...]
    settings: tuple[SettingResult, ...]
    counts: SettingCounts
    corrections: Corrections
    responses: tuple[ResponseCurve, ...]
    costs: tuple[CostPoint, ...]
    transfer: TransferRegret | None
    trajectories: tuple[Trajectory, ...]
    inventory: Inventory
    provenance: dict[str, str]
    spec: dict[str, str]
    gains: tuple[SearchGain, ...]
    anytime: tuple[AnytimeCurve, ...]
    degradations: tuple[DegradationCurve, ...]
    profiles: tuple[LossProfile, ...]
    optimism: SelectionOptimism | None
    detectable: DetectableDifference | None
    wall_clock: WallClock | None
    tau_spans: TauSpans
    level_changes: tuple[LevelChange, ...]
    gains_over_scales: GainsOverScales | None
    baselines: tuple[Baseline, ...]
    learner: str
    baseline: str

    question: str
    answer: Answer | None
    weights: tuple[WeightsCurve, ...]
    final_weights: tuple[FinalWeights, ...]
    teaching_curves: tuple[TeachingCurve, ...]
    quiz_falls: tuple[QuizFall, ...]
    label_use: tuple[LabelUse, ...]
    made_with: tuple[MadeWith, ...]
    published: tuple[PublishedPair, ...]
    students: tuple[KeptStudent, ...]
    basics: Basics

    primary: PrimaryComparison
    deciding: Deciding | None


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
            answer = values.pop("answer")
            summary: Summary = _typed(Summary, {**values, "answer": None})
            kind = QUESTIONS[summary.question].analysis.answer_type
            if kind is not None and answer is not None:
                summary = dataclasses.replace(summary, answer=_typed(kind, answer))
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

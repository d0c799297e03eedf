"""What a study asks, and which of its numbers answer it."""

from collections.abc import Sequence

from metakd.analysis.answers import LevelGap, Reuse, StartRange
from metakd.analysis.grid import Grid
from metakd.analysis.learner_answers import Ensemble, LearnerAnswer, Teaching
from metakd.analysis.pair import CONTENDERS, LEARNING_TO_TEACH, MULTI_TEACHER, Pair
from metakd.analysis.questions.gap_verdict import gap_verdict
from metakd.analysis.questions.grid_vs_meta import make_verdict
from metakd.analysis.questions.learner import learner_verdict
from metakd.analysis.questions.learning_to_teach import teaching
from metakd.analysis.questions.several_teachers import several_teachers
from metakd.analysis.questions.start_range import starts_verdict
from metakd.analysis.questions.transfer import reuse_verdict
from metakd.analysis.sentences import Evidence
from metakd.analysis.summary import Verdict
from metakd.analysis.table import StudyTable
from metakd.analysis.verdict_decision import with_decision
from metakd.results.study import StoreError, StudyRecord
from metakd.results.teachers import TeacherScore

GRID_VS_META = "grid_vs_meta"
TRANSFER = "transfer"
START_RANGE = "start_range"
# What a study of a gap varies.
FACTORS = {"teacher_gap": "teacher", "augmentation_gap": "augmentation"}
QUESTIONS = (GRID_VS_META, *FACTORS, TRANSFER, START_RANGE, *CONTENDERS)


def question_of(record: StudyRecord) -> str:
    """Returns what a study asks, one of ``QUESTIONS``.

    Raises:
        StoreError: If its spec asks something else.
    """
    question = record.spec.get("question", GRID_VS_META)
    if question not in QUESTIONS:
        raise StoreError(
            f"study {record.study!r} asks {question!r}, which this version of metakd does not "
            f"answer: it knows {', '.join(QUESTIONS)}"
        )
    return str(question)


def asked_gap(question: str, gaps: Sequence[LevelGap]) -> LevelGap | None:
    """Returns the gap that a study asks about: of gains where they are known, else of accuracy."""
    found = [gap for gap in gaps if gap.factor == FACTORS.get(question)]
    return max(found, key=lambda gap: gap.measure == "gain", default=None)


def learner_answer(
    question: str,
    table: StudyTable,
    grid: Grid | None,
    pair: Pair,
    teachers: Sequence[TeacherScore],
) -> Ensemble | Teaching | None:
    """Returns what a study with a learner of its own answers beside; None of others.

    Args:
        question: What it asks.
        table: The study.
        grid: Its grid.
        pair: Whose differences they are.
        teachers: How good the teachers are.
    """
    if question == MULTI_TEACHER:
        return several_teachers(table, grid, pair, teachers)
    if question == LEARNING_TO_TEACH:
        return teaching(table, grid, pair, teachers)
    return None


def answer(
    question: str,
    evidence: Evidence,
    gaps: Sequence[LevelGap],
    reuse: Reuse | None,
    found_of_learner: LearnerAnswer | None,
    starts: StartRange | None,
) -> Verdict:
    """Words the answer to what a study asks."""
    verdict = _own_answer(question, evidence, gaps, reuse, found_of_learner, starts)
    if evidence.primary is None:
        return verdict
    return with_decision(verdict, evidence.primary, evidence.deciding, evidence.command)


def _own_answer(
    question: str,
    evidence: Evidence,
    gaps: Sequence[LevelGap],
    reuse: Reuse | None,
    found_of_learner: LearnerAnswer | None,
    starts: StartRange | None,
) -> Verdict:
    if question in FACTORS:
        return gap_verdict(evidence, FACTORS[question], asked_gap(question, gaps))
    if question == TRANSFER:
        return reuse_verdict(evidence, reuse)
    if question == START_RANGE:
        return starts_verdict(evidence, starts)
    if found_of_learner is not None:
        return learner_verdict(evidence, question, found_of_learner)
    return make_verdict(evidence)

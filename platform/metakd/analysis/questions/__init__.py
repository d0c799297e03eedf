"""The questions of studies. The numbers and words of each are in a module, imported when needed.

A further question is an entry here, its :class:`~metakd.analysis.questions.analysis.Analysis`, what
its report opens with in ``dashboards/questions`` and its study in ``studies``.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from metakd.analysis.questions.analysis import Analysis
HERE = "metakd.analysis.questions"


@dataclass(frozen=True)
class Question:
    """A question, as it is known before its analysis is imported.

    Attributes:
        title: In words, as the terminal announces it.
        place: Where its analysis is, as "module:attribute".
        learners: The first of these strategies that a study has is compared ...
        baselines: ... with the first of these that has a pair with it.
        needs: Groups of strategies: without one of each nothing is compared. Learners and
            baselines where empty.
        shares_seeds_over: Factors whose levels are compared within a seed, beside teachers and
            students.
    """

    title: str
    place: str
    learners: tuple[str, ...] = ("meta",)
    baselines: tuple[str, ...] = ("grid",)
    needs: tuple[tuple[str, ...], ...] = ()
    shares_seeds_over: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[tuple[str, ...], ...]:
        """Groups of strategies of which a study needs one each."""
        return self.needs or (self.learners, self.baselines)

    @property
    def is_about_temperatures(self) -> bool:
        """Whether what learns is a temperature, not weights of teachers or a teacher."""
        return self.learners == ("meta",)

    @property
    def analysis(self) -> "Analysis":
        """How it is answered; imported when it is first read."""
        module, _, attribute = self.place.partition(":")
        return cast("Analysis", getattr(import_module(module), attribute))


QUESTIONS = {
    "grid_vs_meta": Question(
        "search for the temperature, or learn it?",
        f"{HERE}.grid_vs_meta:GRID_VS_META",
        needs=(("meta",), ("grid", "fixed")),
    ),
    "teacher_gap": Question(
        "does a better teacher make a worse student, and does the temperature mend it?",
        f"{HERE}.gap:TEACHER_GAP",
        needs=(("fixed",),),
    ),
    "augmentation_gap": Question(
        "does strong augmentation spoil distillation, and does the temperature mend it?",
        f"{HERE}.gap:AUGMENTATION_GAP",
        needs=(("fixed",),),
        shares_seeds_over=("augmentation",),
    ),
    "transfer": Question(
        "use a temperature that was tuned elsewhere, or learn it here?",
        f"{HERE}.transfer:TRANSFER",
        needs=(("grid",), ("meta",)),
    ),
    "start_range": Question(
        "does a learned temperature forget where it starts?",
        f"{HERE}.start_range:START_RANGE",
        needs=(("grid",), ("meta-starts",)),
    ),
    "multi_teacher": Question(
        "do learned weights of several teachers beat their mean?",
        f"{HERE}.multi_teacher:MULTI_TEACHER",
        learners=("mmkd", "mmkd+tau", "mmkd-logits", "mmkd-tau", "mmkd-reference"),
        baselines=("mean_losses", "mean_logits", "single", "mean_features", "camkd", "ce"),
    ),
    "learning_to_teach": Question(
        "does a teacher that learns to teach make a better student?",
        f"{HERE}.learning_to_teach:LEARNING_TO_TEACH",
        learners=(
            *("metadistil", "metadistil+tau"),
            *("metadistil-no-pilot", "metadistil-own-quiz", "metadistil-reference"),
        ),
        baselines=("fixed", "meta", "grid", "ce"),
    ),
}

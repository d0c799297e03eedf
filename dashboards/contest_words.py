"""What a report calls the two whose differences it shows."""

from dataclasses import dataclass

from metakd.analysis.strategy_names import at_start, strategy_name
from metakd.analysis.summary import Summary


@dataclass(frozen=True)
class ContestWords:
    """Names of the protagonist and of its main rival.

    Attributes:
        learned: The protagonist before a result: "learned", "MMKD", "learning teacher".
        learning: The protagonist inside a sentence: "learning", "MMKD", "the learning teacher".
        rival: The rival alone: "grid", "mean of losses".
        the_rival: The rival inside a sentence: "the grid", "the mean of losses".
    """

    learned: str = "learned"
    learning: str = "learning"
    rival: str = "grid"
    the_rival: str = "the grid"

    @property
    def starts(self) -> str:
        """The protagonist at the start of a sentence."""
        return at_start(self.learning)


def contest_words(summary: Summary) -> ContestWords:
    """Returns what a study's protagonist and its main rival are called."""
    if summary.protagonist == "meta":
        return ContestWords()
    learner, rival = (
        strategy_name(name, summary.question) for name in (summary.protagonist, summary.main_rival)
    )
    return ContestWords(learner.removeprefix("the "), learner, rival.removeprefix("the "), rival)

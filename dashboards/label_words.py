"""What strategies did with labels, in sentences."""

from collections.abc import Iterable

from metakd.analysis.strategy_names import at_start, strategy_name
from metakd.analysis.summary import Counts, LabelUse
from metakd.analysis.wording import listed


def label_sentences(uses: Iterable[LabelUse], question: str) -> list[str]:
    """Returns a sentence for each use of labels.

    Args:
        uses: What strategies did.
        question: What the study asks.
    """
    return [_sentence(use, question) for use in uses]


def _sentence(use: LabelUse, question: str) -> str:
    names = listed([strategy_name(name, question) for name in use.strategies])
    held_out = [
        f"{_in_words(counts)} held-out ones {purpose}"
        for counts, purpose in ((use.chose_by, "to choose by"), (use.learned_from, "to learn from"))
        if counts is not None
    ]
    parts = [f"{_in_words(use.trained_on)} training labels", *(held_out or ["no held-out ones"])]
    return f"{at_start(names)}: {', '.join(parts)}."


def _in_words(counts: Counts) -> str:
    if counts.least == counts.most:
        return f"{counts.most:,}"
    return f"{counts.least:,} to {counts.most:,}"

"""What strategies are called in sentences."""

STRATEGY_NAMES = {
    "ce": "no teacher",
    "fixed": "the default temperature",
    "grid": "the grid",
    "meta": "the learned temperature",
    "meta-starts": "the learned temperature, best of its starts",
    "align": "the aligned temperature",
    "grid-scale-free": "the grid at one gradient size",
    "single": "the best single teacher",
    "mean_losses": "the mean of losses",
    "mean_logits": "the mean of logits",
    "mean_features": "the mean of losses and features",
    "camkd": "confidence weights (CA-MKD)",
    "mmkd": "MMKD",
    "mmkd-logits": "MMKD without features",
    "mmkd-tau": "learning temperatures alone",
    "mmkd+tau": "MMKD with learned temperatures",
    "mmkd-reference": "MMKD as published",
    "metadistil": "the learning teacher",
    "metadistil+tau": "the learning teacher with learned temperatures",
    "metadistil-no-pilot": "the learning teacher without the pilot",
    "metadistil-own-quiz": "the learning teacher quizzed on the training batch",
    "metadistil-reference": "the learning teacher as published",
}
# Where a question puts them in another light.
NAMES_IN_QUESTION = {
    "learning_to_teach": {
        "fixed": "the fixed teacher",
        "meta": "the fixed teacher with learned temperatures",
    }
}


def strategy_name(strategy: str, question: str = "") -> str:
    """Returns a strategy's name inside a sentence; one that nobody knows keeps its own.

    Args:
        strategy: The strategy.
        question: What the study asks.
    """
    in_question = NAMES_IN_QUESTION.get(question, {})
    return in_question.get(strategy) or STRATEGY_NAMES.get(strategy, strategy)


def at_start(text: str) -> str:
    """Returns a text as it begins a sentence."""
    return text[:1].upper() + text[1:]

"""What strategies are called in sentences."""

STRATEGY_NAMES = {
    "ce": "no teacher",
    "fixed": "the default temperature",
    "grid": "the grid",
    "meta": "the learned temperature",
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
}


def strategy_name(strategy: str) -> str:
    """Returns a strategy's name inside a sentence; one that nobody knows keeps its own."""
    return STRATEGY_NAMES.get(strategy, strategy)


def at_start(text: str) -> str:
    """Returns a text as it begins a sentence."""
    return text[:1].upper() + text[1:]

"""Which verdicts are drawn green, rose or grey; words always stand beside the colour."""

from dashboards.contest_words import ContestWords
from metakd.analysis.summary import Comparison

GOOD, BAD, NEUTRAL = "good", "bad", "neutral"
LIGHT_TONES = {
    GOOD: "#0f6b4f",
    "good-soft": "#dff1e9",
    BAD: "#9b1c31",
    "bad-soft": "#fbe4e7",
    NEUTRAL: "#5c6773",
    "neutral-soft": "#eceae4",
}
DARK_TONES = {
    GOOD: "#7fdcb6",
    "good-soft": "#14392d",
    BAD: "#ff9fae",
    "bad-soft": "#47181f",
    NEUTRAL: "#a9b4bf",
    "neutral-soft": "#242c34",
}
AHEAD = ("better", "slightly better")
BEHIND = ("worse", "slightly worse")


def accuracy_tone(verdict: str) -> str:
    """Returns the tone of an accuracy verdict: green only where learning is ahead."""
    return GOOD if verdict in AHEAD else BAD if verdict in BEHIND else NEUTRAL


def cost_tone(verdict: str) -> str:
    """Returns the tone of a cost verdict."""
    return {"cheaper": GOOD, "dearer": BAD}.get(verdict, NEUTRAL)


def claim_tone(claim: str) -> str:
    """Returns the tone of a setting's claim."""
    return {"ahead": GOOD, "behind": BAD}.get(claim, NEUTRAL)


def claim_words(claim: str, contest: ContestWords) -> str:
    """Returns a setting's claim as its tile says it."""
    words = {"ahead": f"{contest.learned} ahead", "behind": f"{contest.rival} ahead"}
    return words.get(claim, claim)


def cost_words(comparison: Comparison) -> str:
    """Returns the cost verdict with its factor, for example "3.1× cheaper"."""
    match comparison.cost_verdict:
        case "cheaper" | "dearer" as verdict:
            return f"{factor(comparison.cost_factor)} {verdict}"
        case "same":
            return "same cost"
        case "mixed":
            return "mixed"
        case _:
            return "unknown"


def factor(value: float) -> str:
    """Returns "3.1×", "0.62×" or "120×"."""
    return f"{value:.2g}×" if value < 99.5 else f"{value:.0f}×"


def badge_tone(comparison: Comparison) -> str:
    """Returns the tone of the study's answer; a tie counts as good where it is the cheaper one."""
    tone = accuracy_tone(comparison.accuracy_verdict)
    tie = comparison.accuracy_verdict in ("equivalent", "not worse")
    return GOOD if tie and comparison.cost_verdict == "cheaper" else tone

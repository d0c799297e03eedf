import numpy as np
import pytest
from verdict_words import answered, said

from metakd.analysis.questions.transfer import REUSE_BADGES, REUSE_HEADLINES
from metakd.analysis.sentences import BADGES


def moving(learned=0.0, step=0.01):
    """Augmentations want τ = 1 and τ = 8; a factor of two costs a step; learning is level."""

    def accuracy(method, tau, setting, seed):
        noise = np.random.default_rng([setting, seed, int(tau), len(method)]).normal(0, 0.0003)
        off = step * abs(np.log2(tau / (1.0, 8.0)[setting % 2])) if method == "kd" else 0.0
        score = 0.9 - off + (learned if method == "mkd" else 0.0)
        return score, score + noise

    return accuracy


def moved(made_up, **changes):
    usual = {
        "scales": (0.1, 0.5, 1.0), "seeds": 6, "question": "transfer", "accuracy": moving(),
    }  # fmt: skip
    return answered(made_up(**(usual | changes)))


@pytest.mark.parametrize(
    ("accuracy", "badge", "headline"),
    [
        (
            moving(), "Better; reuse loses",
            "Learning the temperature beats reusing one tuned elsewhere by more than 0.20 points.",
        ),
        (
            moving(step=0.0), "Equal; reuse costs nothing",
            "Learning the temperature equals reusing one tuned elsewhere within ±0.20 points.",
        ),
        (
            moving(learned=-0.1), "Worse; reuse loses",
            "Learning the temperature loses to reusing one tuned elsewhere by more than 0.20 "
            "points.",
        ),
    ],
)  # fmt: skip
def test_the_headline_weighs_learning_against_reuse(made_up, accuracy, badge, headline) -> None:
    verdict = moved(made_up, accuracy=accuracy)
    text = said(verdict)
    assert verdict.badge == badge
    assert verdict.headline == headline
    assert "costs 1 run, or 5.0 with its tuning; tuning there costs 4.0, learning there 1.6" in text
    assert "in one factor alone: share of data" in text


def test_which_moves_cost_is_said(made_up) -> None:
    text = said(moved(made_up))
    assert "source and target choose different temperatures in 18 of 30 moves" in text
    assert "augmentation +2.99 * by tuning and +3.01 * by learning" in text
    assert "* holds after correction for 2 factors (Holm)" in text


def test_without_learning_it_is_about_tuning_again(made_up) -> None:
    verdict = moved(made_up, strategies=("grid",))
    said(verdict)
    assert verdict.badge == "Reuse loses"
    assert verdict.headline == (
        "Reusing a temperature tuned elsewhere loses more than 0.20 points to tuning again."
    )


@pytest.mark.parametrize(
    ("changes", "badge"),
    [
        ({"strategies": ("fixed", "meta")}, "Nothing tuned"),
        ({"scales": (1.0,), "augmentations": ("none",)}, "One setting only"),
        ({"absent": lambda row: True}, "Nothing to move yet"),
        ({"seeds": 1}, "Undecided; reuse undecided"),
        ({"absent": lambda row: row["seed"] == 5}, "Better; reuse loses"),
        ({"absent": lambda row: row["method"] == "mkd"}, "Reuse loses"),
    ],
)
def test_nothing_is_claimed_that_data_do_not_carry(made_up, changes, badge) -> None:
    verdict = moved(made_up, **changes)
    text = said(verdict)
    assert verdict.badge == badge
    assert ("Finished:" in text) == (badge[:3] in ("Not", "One") or "absent" in changes)


def test_every_verdict_has_its_words() -> None:
    assert set(REUSE_HEADLINES) == set(REUSE_BADGES) == {*BADGES, "no data"}

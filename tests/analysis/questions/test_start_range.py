"""What the wrong start costs, against numbers worked out by hand and runs of pure noise."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_study import MadeUpSearch, MadeUpSegment, MadeUpStudy, Row

from metakd.analysis.questions.start_range import StartRange
from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary

TAUS = (1.0, 4.0, 16.0)
FROM_EACH = MadeUpSearch("meta-starts", tuple(MadeUpSegment(tau, "mkd") for tau in TAUS))
SCALE_FREE = MadeUpSearch(
    "grid-scale-free", tuple(MadeUpSegment(tau, "kd_scale_free") for tau in TAUS)
)
ALIGNED = MadeUpSearch("align", (MadeUpSegment(None, "align"),))

Means = Callable[[str, float], float]


def study(means: Means, noise: float = 0.0, **more: Any) -> MadeUpStudy:
    """Returns a study whose runs reach a mean by method and τ, with noise from their content."""

    def accuracy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        code = [len(method), ord(method[0]), int(tau), setting, seed]
        draws = noise * np.random.default_rng(code).normal(size=2)
        return means(method, tau) + draws[0], means(method, tau) + draws[1]

    chosen: dict[str, Any] = {
        "strategies": ("fixed", "grid", "meta"),
        "temperatures": TAUS,
        "searches": (FROM_EACH, ALIGNED),
        "question": "start_range",
        "seeds": 4,
        "accuracy": accuracy,
        **more,
    }
    return MadeUpStudy(**chosen)


def peaked(method: str, tau: float) -> float:
    """Fixed temperatures lose 6 and 2 points at the ends; learned ones 1 point at most."""
    if method == "kd":
        return {1.0: 0.84, 4.0: 0.90, 16.0: 0.88}[tau]
    return {0.0: 0.895, 1.0: 0.89, 4.0: 0.90, 16.0: 0.90}[tau]


def summarised(made_up: MadeUpStudy, place: Path) -> Summary:
    return summarise(made_up.write(place))


def starts_of(made_up: MadeUpStudy, place: Path) -> StartRange:
    starts = summarised(made_up, place).answer
    assert starts is not None
    return starts


def test_the_numbers_are_those_of_hand(tmp_path: Path) -> None:
    starts = starts_of(study(peaked), tmp_path)
    assert starts.starts == TAUS
    for setting in starts.settings:
        assert setting.seeds == 4
        assert setting.fixed_pp == pytest.approx((84, 90, 88))
        assert setting.learned_pp == pytest.approx((89, 90, 90))
        assert setting.fixed_range_pp == pytest.approx(6)
        assert setting.learned_range_pp == pytest.approx(1)
        assert setting.fixed_wrong.mean_pp == pytest.approx(6)
        assert setting.learned_wrong.mean_pp == pytest.approx(1)
        assert setting.aligned_pp == pytest.approx(89.5)
        assert setting.learned_tau_s == pytest.approx((2, 5, 17))
        assert setting.learned_tau_t == pytest.approx((0, 3, 15))
        assert setting.regret.mean_pp == pytest.approx(90 - 269 / 3)
    assert starts.saved.mean_pp == pytest.approx(5)
    assert starts.beyond_quarter.mean_pp == pytest.approx(1 - 6 / 4)
    assert starts.aligned_regret is not None
    assert starts.aligned_regret.mean_pp == pytest.approx(0.5)
    assert (starts.wide_settings, starts.forgetting_settings) == (4, 4)
    assert starts.verdict == "forgets"


def less(method: str, tau: float) -> float:
    return peaked(method, tau) - (0.03 if (method, tau) == ("mkd", 1.0) else 0.0)


def more_dependent(method: str, tau: float) -> float:
    return peaked("kd" if method == "mkd" else "mkd", tau) if method != "align" else 0.9


@pytest.mark.parametrize(
    ("means", "verdict", "badge"),
    [
        (peaked, "forgets", "Forgets its start"),
        (less, "depends less", "Depends less on its start"),
        (more_dependent, "depends more", "Depends more on its start"),
        (lambda method, tau: 0.9, "nothing to forget", "No cost of a start shown"),
    ],
)
def test_each_verdict_is_given_where_it_holds(
    means: Means, verdict: str, badge: str, tmp_path: Path
) -> None:
    found = summarised(study(means, noise=0.001, seeds=8), tmp_path)
    assert found.answer is not None
    assert found.answer.verdict == verdict
    assert found.verdict.badge == badge


def test_the_headline_has_the_costs_of_the_summary(tmp_path: Path) -> None:
    verdict = summarised(study(peaked), tmp_path).verdict
    assert verdict.headline == (
        "A learned temperature forgets its start: the wrong one costs 1.00 points, a wrong fixed "
        "temperature 6.00 points."
    )
    told = " ".join(verdict.sentences)
    assert "over more than 2 points between fixed temperatures in 4 settings" in told
    assert "in 4 of them over a quarter of that or less" in told
    assert "minus the mean over all learned starts is +0.33 points" in told
    assert "minus the alignment rule, which has no start, +0.50 points" in told
    assert "A learned run costs 1.6 fixed ones." in told


def test_where_starts_do_not_matter_the_wrong_one_costs_nothing_on_average(
    tmp_path: Path,
) -> None:
    """A range of means is above 0 by noise alone; what the wrong start costs is not."""
    wrong, ranges = [], []
    made = study(lambda method, tau: 0.9, noise=0.01, seeds=6, scales=tuple(np.arange(1, 21) / 20))
    starts = starts_of(made, tmp_path / "many")
    for setting in starts.settings:
        wrong.append(setting.learned_wrong.mean_pp)
        ranges.append(setting.learned_range_pp)
    assert min(ranges) > 0
    assert np.mean(ranges) > 0.5
    spread = np.std(wrong, ddof=1) / np.sqrt(len(wrong))
    assert abs(np.mean(wrong)) < 3 * spread
    low, high = starts.learned_wrong.low_pp, starts.learned_wrong.high_pp
    assert low is not None
    assert high is not None
    assert low < 0 < high


def test_a_seed_without_all_its_starts_is_left_out(tmp_path: Path) -> None:
    def absent(row: Row) -> bool:
        return (row["method"], row["tau_s_init"], row["seed"]) == ("mkd", 16.0, 3)

    starts = starts_of(study(peaked, absent=absent), tmp_path)
    assert {setting.seeds for setting in starts.settings} == {3}
    assert starts.saved.mean_pp == pytest.approx(5)


def test_one_seed_has_means_and_no_cost_of_a_start(tmp_path: Path) -> None:
    found = summarised(study(peaked, seeds=1), tmp_path)
    assert found.answer is not None
    assert found.answer.settings[0].fixed_range_pp == pytest.approx(6)
    assert found.answer.settings[0].fixed_wrong.mean_pp is None
    assert found.answer.verdict == "no data"
    assert found.verdict.badge == "No complete seed"


@pytest.mark.parametrize(
    ("change", "badge"),
    [
        ({"searches": (ALIGNED,)}, "No starts"),
        ({"strategies": ("fixed",)}, "No starts"),
        ({"temperatures": (4.0,),
          "searches": (replace(FROM_EACH, segments=(MadeUpSegment(4.0, "mkd"),)),)},
         "One start only"),
        ({"absent": lambda row: row["method"] == "mkd"}, "No complete seed"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(change: dict[str, Any], badge: str, tmp_path: Path) -> None:
    found = summarised(study(peaked, **change), tmp_path)
    assert found.answer is None
    assert found.verdict.badge == badge


def scaled(method: str, tau: float) -> float:
    """At the learned scale the wrong temperature costs 2 points, and τ = 1 is the best."""
    found = {1.0: 0.92, 4.0: 0.90, 16.0: 0.91}
    return found[tau] if method == "kd_scale_free" else peaked(method, tau)


def test_the_loss_factor_is_told_from_the_temperatures(tmp_path: Path) -> None:
    made = study(scaled, searches=(FROM_EACH, SCALE_FREE))
    found = summarised(made, tmp_path)
    starts = found.answer
    assert starts is not None
    assert starts.settings[0].scale_free_pp == pytest.approx((92, 90, 91))
    assert starts.settings[0].scale_free_range_pp == pytest.approx(2)
    assert starts.scale_free_wrong is not None
    assert starts.scale_free_regret is not None
    assert starts.scale_free_wrong.mean_pp == pytest.approx(2)
    assert starts.scale_free_regret.mean_pp == pytest.approx(92 - 269 / 3)
    assert "the wrong fixed temperature costs +2.00 points" in " ".join(found.verdict.sentences)
    without = starts_of(study(peaked), tmp_path / "without")
    assert (without.scale_free_wrong, without.scale_free_regret) == (None, None)
    assert without.settings[0].scale_free_pp == ()


def test_without_the_alignment_rule_nothing_is_said_of_it(tmp_path: Path) -> None:
    found = summarised(study(peaked, searches=(FROM_EACH,)), tmp_path)
    assert found.answer is not None
    assert found.answer.aligned_regret is None
    assert "alignment" not in " ".join(found.verdict.sentences)

"""A figure's title claims what its data show, whatever they show."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metakd.analysis.figures.anytime import AnytimeCurve, matched
from metakd.analysis.figures.degradations import DegradationCurve, level_changes
from metakd.analysis.figures.gains import SearchGain, gains_over_scales
from metakd.analysis.figures.reliability import LossProfile, SelectionOptimism
from metakd.analysis.figures.responses import TauSpans, tau_spans
from metakd.analysis.figures.trajectories import Trajectory
from metakd.analysis.figures.transfer import TransferRegret
from metakd.analysis.settings import SettingResult, setting_counts
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.power import DetectableDifference
from metakd.analysis.summary import Summary
from metakd.dashboards.figures.anytime import anytime_title, learner_title
from metakd.dashboards.figures.declared_looks import looks_title
from metakd.dashboards.figures.degradations import degradations_title
from metakd.dashboards.figures.differences import differences_title
from metakd.dashboards.figures.gains import finding, gains_title
from metakd.dashboards.figures.power import detectable_title, outlook_title
from metakd.dashboards.figures.reliability import optimism_title, profiles_title
from metakd.dashboards.figures.responses import responses_title
from metakd.dashboards.figures.trajectories import trajectories_title
from metakd.dashboards.figures.transfer import transfer_title

MARGIN = 0.2
NO_GAP, AHEAD, BEHIND = "no clear gap", "ahead", "behind"
points = st.floats(-5, 5)


def interval(low: float | None, high: float | None) -> Interval:
    mean = 0.0 if low is None or high is None else (low + high) / 2
    return Interval(mean, low, high, 6, "")


def claiming(like: SettingResult, *claims: str) -> list[SettingResult]:
    return [replace(like, key=f"s{i}", claim=claim) for i, claim in enumerate(claims)]


# 1: differences


def titled(settings: list[SettingResult], overall: Interval | None) -> str:
    return differences_title(settings, setting_counts(settings), overall, MARGIN)


@pytest.mark.parametrize(
    ("claims", "title"),
    [
        ((AHEAD, BEHIND, NO_GAP), "Learning is ahead in 1 and behind in 1 of 3 settings"),
        ((AHEAD, AHEAD, NO_GAP), "Learning is ahead in 2 of 3 settings"),
        ((BEHIND, BEHIND, NO_GAP), "Learning is behind in 2 of 3 settings"),
        ((NO_GAP, BEHIND, NO_GAP), "Learning is behind in one of 3 settings: s1"),
        ((AHEAD, AHEAD), "Learning is ahead in all 2 settings"),
        ((AHEAD,), "Learning is ahead of the grid"),
        ((BEHIND,), "Learning is behind the grid"),
        ((NO_GAP,), "No difference shown in the one setting"),
    ],
)
def test_differences_count_claims(summary: Summary, claims: tuple[str, ...], title: str) -> None:
    assert titled(claiming(summary.settings[0], *claims), None) == title


@pytest.mark.parametrize(
    ("overall", "end"),
    [
        (None, "once corrected for 2 looks"),
        (interval(None, None), "once corrected for 2 looks"),
        (interval(-0.5, 0.4), "once corrected for 2 looks"),
        (interval(0.1, 0.4), "over all of them learning is ahead"),
        (interval(-0.4, -0.1), "over all of them learning is behind"),
        (interval(-0.1, 0.15), "and the mean is within ±0.20 points"),
    ],
)
def test_differences_without_claims_may_still_show_one_overall(
    summary: Summary, overall: Interval | None, end: str
) -> None:
    settings = claiming(summary.settings[0], NO_GAP, NO_GAP)
    title = titled(settings, overall)
    assert title.startswith("No setting shows a difference")
    assert title.endswith(end)


def test_too_few_seeds_claim_nothing(summary: Summary) -> None:
    unknown = Interval(1.0, None, None, 2, "no interval")
    settings = [
        replace(s, versus_baseline=unknown, p_value=None, claim=NO_GAP) for s in summary.settings
    ]
    assert titled(settings, None).startswith("Too few seeds")


@given(
    claims=st.lists(st.sampled_from([NO_GAP, AHEAD, BEHIND]), min_size=1, max_size=6),
    ends=st.tuples(points, points),
)
def test_no_title_says_ahead_or_behind_without_a_claim_or_an_interval(
    claims: list[str], ends: tuple[float, float]
) -> None:
    low, high = sorted(ends)
    like = SettingResult(
        "s", "digits", 1.0, "none", "t", "u", 9, 4, (), interval(-1, 1), (0,), (0.0,), "", None, (),
        None, None, None, 0.5,
    )  # fmt: skip
    title = titled(claiming(like, *claims), interval(low, high))
    overall = len(claims) > 1 and set(claims) == {NO_GAP}
    assert ("ahead" in title) == (AHEAD in claims or (overall and low > 0))
    assert ("behind" in title) == (BEHIND in claims or (overall and high < 0))


# 2: gains


def gain(scale: float, size_to_match: int | None, low: float | None = 0.1) -> SearchGain:
    learned = Interval(0.3, low, None if low is None else 0.5, 6, "")
    grid = tuple(interval(k / 10 - 0.1, k / 10 + 0.1) for k in (1, 2, 3))
    # By its interval above every grid that does not catch up.
    if size_to_match is None and low is not None:
        learned = interval(0.5, 0.7)
    label = f"{100 * scale:g} % of the data"
    is_apart = size_to_match is None and low is not None
    return SearchGain(
        label, scale, (1, 2, 3), grid, (1.0, 2.0, 3.0), learned, 1.5, size_to_match, is_apart
    )


def titled_gains(gains: list[SearchGain]) -> str:
    return gains_title(gains, gains_over_scales(gains), 4.0)


@pytest.mark.parametrize(
    ("needed", "title"),
    [
        ((None, None), "On average no grid of up to 3 temperatures catches up with learning"),
        ((2, None), "On average no grid catches up on 20 % of the data"),
        ((2, None, None), "On average no grid catches up on 20 % and 30 % of the data"),
        ((2, None, None, None), "On average no grid catches up at 3 of 4 scales"),
        ((2, 2), "On average the grid needs 2 temperatures to gain what learning gains"),
        ((1, 3), "On average the grid needs 1 to 3 temperatures to gain what learning gains"),
        ((1, 1), "On average a single temperature of the grid gains as much as learning"),
    ],
)
def test_gains(needed: tuple[int | None, ...], title: str) -> None:
    found = [gain(i / 10, runs) for i, runs in enumerate(needed, start=1)]
    assert titled_gains(found) == title


def test_gains_of_few_seeds_claim_less() -> None:
    title = "Too few seeds for an interval; in the mean no grid catches up on 100 % of the data"
    assert titled_gains([gain(0.1, 2, low=None), gain(1.0, None, low=None)]) == title
    alone = [replace(gain(1.0, None), learned=None)]
    assert titled_gains(alone) == "What searching gains over τ = 4"
    labels = [replace(gain(1.0, None), label=name) for name in ("small", "large")]
    assert titled_gains([*labels, gain(0.5, 1)]).endswith("on small and large")


def test_gains_of_a_grid_of_one() -> None:
    one = replace(gain(1.0, None), sizes=(1,), grid_runs=(1.0,), grid=(interval(0.0, 0.1),))
    title = "On average the grid's one temperature does not gain what learning gains"
    assert titled_gains([one]) == title


@pytest.mark.parametrize("needed", [(None,), (2, None), (2, None, None, None)])
def test_gains_say_where_the_intervals_do_not_tell_apart(needed: tuple[int | None, ...]) -> None:
    found = [
        replace(gain(i / 10, k), learned=interval(0.3, 0.9), is_apart=False)
        for i, k in enumerate(needed)
    ]
    assert titled_gains(found).endswith(", but the intervals overlap")


@pytest.mark.parametrize(
    ("needed", "words"),
    [
        (None, "no grid size catches up"),
        (1, "one temperature of the grid does as well"),
        (3, "the grid needs 3 temperatures"),
    ],
)
def test_each_panel_says_what_its_grid_needs(needed: int | None, words: str) -> None:
    assert finding(gain(1.0, needed)) == words
    assert finding(replace(gain(1.0, needed), learned=None)) == "learning was not run"


# 3: anytime


def curve(strategy: str, runs: tuple[float, ...], mean: tuple[float, ...]) -> AnytimeCurve:
    return AnytimeCurve(strategy, runs, mean, mean, mean)


@given(
    level=st.floats(50, 60),
    means=st.lists(st.floats(50, 60), min_size=1, max_size=8).map(sorted),
)
def test_anytime_names_the_first_run_that_reaches_learning(
    level: float, means: list[float]
) -> None:
    grid = curve("grid", tuple(map(float, range(1, len(means) + 1))), tuple(means))
    title = anytime_title(matched([curve("meta", (0.5, 1.5), (50.0, level)), grid]))
    reached = [run for run, mean in zip(grid.runs, means, strict=True) if mean >= level]
    if reached:
        assert re.match(rf"An average search takes {reached[0]:.1f} runs to reach", title)
    else:
        assert re.match(rf"An average search of {len(means):.1f} runs stays below", title)
    assert title.endswith("learning reaches in 1.5 runs")


def test_anytime_without_both_compares_nothing(summary: Summary) -> None:
    for missing in ("meta", "grid"):
        title = anytime_title([c for c in summary.anytime if c.strategy != missing])
        assert title == "Validation accuracy of the best model so far, by compute"


def test_anytime_of_a_pair_says_what_both_end_with_and_cost() -> None:
    curves = [
        curve("metadistil", (2.0, 4.4), (70.0, 88.14)),
        curve("fixed", (1.0,), (88.46,)),
        curve("ce", (1.0,), (80.0,)),
    ]
    title = learner_title(curves, "metadistil", "fixed", "learning_to_teach")
    assert title == (
        "The learning teacher ends at 88.1 % after 4.4 runs, the fixed teacher at 88.5 % after "
        "1.0 runs"
    )
    for missing in (0, 1):
        kept = [each for each in curves if each is not curves[missing]]
        title = learner_title(kept, "metadistil", "fixed", "learning_to_teach")
        assert title == "Validation accuracy of the best model so far, by compute"


# 4: responses


def spans(
    summary: Summary, best: Sequence[float | None], ends: Sequence[float | None] = ()
) -> TauSpans:
    like = summary.settings[0]
    settings = [replace(like, key=f"s{i}", best_tau=tau) for i, tau in enumerate(best)]
    learned = [ending(f"s{i}", tau) for i, tau in enumerate(ends)]
    return tau_spans(settings, learned)


def test_responses(summary: Summary) -> None:
    assert responses_title(spans(summary, [4.0, 4.0]), 2) == (
        "Validation chooses τ = 4 in every setting"
    )
    assert responses_title(spans(summary, [4.0]), 1) == "Validation chooses τ = 4 here"
    assert "Accuracy against" in responses_title(spans(summary, [None]), 1)


@given(best=st.lists(st.sampled_from([1.0, 2.0, 4.0, 8.0]), min_size=2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_moving_temperature_is_given_its_true_range(summary: Summary, best: list[float]) -> None:
    title = responses_title(spans(summary, best), len(best))
    assert ("moves" in title) == (len(set(best)) > 1)
    if len(set(best)) > 1:
        assert f"from {min(best):g} to {max(best):g}" in title


# 5: transfer


@pytest.mark.parametrize(
    ("worst_pp", "title"),
    [
        (-0.1, "No transferred temperature loses accuracy in the mean"),
        (0.0, "No transferred temperature loses accuracy in the mean"),
        (0.2, "No transferred temperature loses more than ±0.20 points in the mean"),
        (1.46, "At worst, the temperature tuned on a loses 1.5 points on b"),
    ],
)
def test_transfer(summary: Summary, worst_pp: float, title: str) -> None:
    assert transfer_title(worst(summary, worst_pp), MARGIN) == title


def test_a_small_loss_beyond_a_smaller_margin_is_not_called_zero(summary: Summary) -> None:
    assert "loses 0.04 points on b" in transfer_title(worst(summary, 0.04), 0.02)


def worst(summary: Summary, worst_pp: float) -> TransferRegret:
    assert summary.transfer is not None
    return replace(summary.transfer, worst_pp=worst_pp, worst_source="a", worst_target="b")


# 6: trajectories


def ending(key: str, tau: float) -> Trajectory:
    return Trajectory(key, (0, 1), *((4.0, tau),) * 6)


@pytest.mark.parametrize(
    ("ends", "best", "title"),
    [
        ((3.0, 5.0), (None, None), "Learned student temperatures end between 3 and 5"),
        ((3.0,), (None,), "The learned student temperature ends at 3"),
        ((3.0,), (4.0,), "ends within a factor of two of the grid's best"),
        ((3.0,), (8.0,), "ends more than a factor of two from the grid's best"),
        ((3.0, 5.0), (4.0, 4.0), "within a factor of two of the grid's best in all 2 settings"),
        ((3.0, 5.0), (4.0, 16.0), "within a factor of two of the grid's best in 1 of 2 settings"),
        ((3.0, 30.0), (16.0, 4.0), "within a factor of two of the grid's best in 0 of 2 settings"),
    ],
)
def test_trajectories(
    summary: Summary, ends: tuple[float, ...], best: tuple[float | None, ...], title: str
) -> None:
    assert trajectories_title(spans(summary, best, ends)).endswith(title)


# 7: degradations


def along(strategy: str, *means: float | None) -> DegradationCurve:
    nothing = (None,) * len(means)
    levels = ("small", "medium", "large")[: len(means)]
    change = None if None in (means[0], means[-1]) else means[-1] - means[0]
    return DegradationCurve(
        "teacher", "all", strategy, levels, nothing, "study", means, nothing, nothing, change
    )


def changing(*curves: DegradationCurve) -> str:
    return degradations_title(curves, level_changes(curves))


def test_degradations_give_the_change_from_end_to_end() -> None:
    curves = [along("meta", 90.0, 91.0, 91.2), along("fixed", 90.0, 92.0, 89.0)]
    title = (
        "From small to large accuracy changes by +1.2 points with the learned temperature and −1.0 "
        "with the default temperature"
    )
    assert changing(*curves) == title


def test_degradations_of_several_panels_give_the_range() -> None:
    curves = [along("grid", 90.0, 91.0), along("grid", 90.0, 88.5), along("ce", 1.0, 9.0)]
    title = "From small to medium accuracy changes by −1.5 to +1.0 points with the grid"
    assert changing(*curves) == title


def test_degradations_without_both_ends_claim_nothing() -> None:
    assert changing(along("meta", None, 91.0)) == "Test accuracy from small to medium"
    assert changing(along("ce", 90.0, 91.0)).endswith("by +1.0 points with no teacher")


# 8: profiles


@given(losses=st.lists(points, min_size=1, max_size=300))
def test_a_profile_says_all_or_none_only_where_it_is_all_or_none(losses: list[float]) -> None:
    ordered = tuple(sorted(losses))
    share = sum(loss <= 0 for loss in losses) / len(losses)
    steps = tuple((i + 1) / len(losses) for i in range(len(losses)))
    title = profiles_title([LossProfile("meta", ordered, steps, share, len(losses), (), ())])
    assert title.startswith("100 %") == all(loss <= 0 for loss in losses)
    assert title.startswith("0 %") == all(loss > 0 for loss in losses)


def test_profiles(summary: Summary) -> None:
    title = "75 % of learned runs and 50 % of grid searches lose nothing to the best fixed τ"
    assert profiles_title(summary.profiles) == title
    others = [p for p in summary.profiles if p.strategy != "meta"]
    assert profiles_title(others) == "Loss against the best fixed temperature of each setting"


# 9: optimism


@pytest.mark.parametrize(
    ("quoted", "picked", "title"),
    [
        (0.3, 0.2, "Quoting the winner's validation score would flatter the grid by 0.30 points"),
        (-0.3, 0.2, "Picking the winner on test would flatter the grid by 0.20 points"),
        (-0.3, 0.001, "Neither shortcut of reporting would flatter the grid of 2"),
    ],
)
def test_optimism(quoted: float, picked: float, title: str) -> None:
    assert optimism_title(SelectionOptimism((1, 2), (0.0, quoted), (0.0, picked), 9)) == title


# 10: detectable difference


@pytest.mark.parametrize(
    ("now", "settings_help", "title"),
    [
        (None, True, "With one setting or one seed the study cannot show an overall difference"),
        (0.15, True, "The study can show differences as small as its margin: 0.15 points"),
        (0.6, True, "twice the settings would help more than twice the seeds"),
        (0.6, False, "twice the seeds would help no less than twice the settings"),
    ],
)
def test_detectable(now: float | None, settings_help: bool, title: str) -> None:
    found = DetectableDifference(
        (2,), (1.0,), (0.6,), (0.5,), 4, 8, 2, now, None, False, settings_help
    )
    assert detectable_title(found, MARGIN).endswith(title)


def test_detectable_of_seeds_of_their_own_speaks_of_its_settings() -> None:
    found = DetectableDifference((2,), (1.0,), (0.6,), (), 4, 8, 2, 0.6, 0.41, True, False)
    title = "The study can show 0.60 points in its settings; twice the seeds could show 0.41"
    assert detectable_title(found, MARGIN) == title


# Declared looks, and what they would take


@given(ends=st.tuples(points, points), looks=st.integers(1, 3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_look_is_said_to_decide_where_its_interval_does(
    summary: Summary, ends: tuple[float, float], looks: int
) -> None:
    low, high = sorted(ends)
    assert summary.deciding is not None
    word = "open"
    if low >= -MARGIN and high <= MARGIN:
        word = "equivalent"
    elif low > 0 or high < 0:
        word = "ahead" if low > 0 else "behind"
    last = replace(summary.deciding.looks[0], number=looks, interval=interval(low, high), word=word)
    title = looks_title(replace(summary.deciding, looks=(last,) * looks, word=word))
    assert title.startswith(f"Look {looks} of 4 decides")
    assert ("nothing" in title) == (word == "open")
    assert ("above zero" in title) == (word == "ahead")
    assert ("below zero" in title) == (word == "behind")
    assert ("inside ±0.20" in title) == (word == "equivalent")


def test_a_look_without_an_interval_decides_nothing(summary: Summary) -> None:
    assert summary.deciding is not None
    blind = replace(summary.deciding.looks[0], interval=interval(None, None))
    title = looks_title(replace(summary.deciding, looks=(blind,)))
    assert title == "Look 1 of 4 has no interval, so it decides nothing"


@pytest.mark.parametrize(
    ("chances", "is_anew", "title"),
    [
        (
            ((0.1, 0.3), (0.4, 0.8), (0.9, 0.9)),
            False,
            "This study is likely to settle it at ±0.20 points by look 4, after 12 min 20 s more",
        ),
        (
            ((0.1, 0.3), (0.9, 0.9), (0.9, 0.9)),
            True,
            "A study anew is likely to settle it at ±0.20 points by look 3, after 5 min 10 s",
        ),
        (
            ((0.1, 0.2), (0.4, 0.79), (0.7, 0.95)),
            False,
            "This study is not likely to settle it at ±0.20 points; at ±0.30 it is",
        ),
        (
            ((0.1, 0.2), (0.2, 0.3), (0.4, 0.5)),
            True,
            "A study anew is not likely to settle it at ±0.20 points, nor at any margin up to "
            "±0.30",
        ),
    ],
)
def test_outlook(
    summary: Summary, chances: tuple[tuple[float, ...], ...], is_anew: bool, title: str
) -> None:
    assert summary.deciding is not None
    assert summary.deciding.outlook is not None
    found = replace(summary.deciding.outlook, probability=chances, is_anew=is_anew)
    assert outlook_title(found, MARGIN) == title

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from metakd.analysis.costs import costs_of
from metakd.analysis.grid import choose
from metakd.analysis.settings import setting_results
from metakd.analysis.statistics.claims import claim, crossed_p_value, holm, paired_p_value
from metakd.analysis.statistics.intervals import crossed_interval
from metakd.analysis.table import make_table

TABLES = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(2, 5)),
    elements=st.floats(-5, 5).map(lambda x: round(x, 3)),
)
P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=12)


def results_of(study):
    table = make_table(study.record(), tuple(study.rows()))
    return setting_results(table, choose(table), costs_of(table))


@given(st.integers(0, 10_000), st.integers(3, 12))
def test_the_p_value_is_scipys(seed, pairs) -> None:
    learned, baseline = np.random.default_rng(seed).normal(90, 1, (2, pairs))
    expected = stats.ttest_rel(learned, baseline).pvalue
    assert paired_p_value(learned - baseline) == pytest.approx(expected)


@pytest.mark.parametrize("pairs", [0, 1, 2])
def test_below_three_pairs_there_is_no_p_value(pairs) -> None:
    assert paired_p_value(np.arange(pairs, dtype=float)) is None


@pytest.mark.parametrize("pairs", [3, 5, 6])
def test_seeds_that_agree_prove_no_more_than_their_signs(pairs) -> None:
    signs = np.array([np.sign(2 * (np.arange(2**pairs)[:, None] >> np.arange(pairs) & 1) - 1)])
    means = np.abs(signs.mean(axis=-1))
    sign_flip_p = (means >= 1).mean()
    assert paired_p_value(np.full(pairs, 0.3)) == pytest.approx(sign_flip_p)
    assert paired_p_value(np.zeros(pairs)) == 1.0


@given(TABLES, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_crossed_p_is_small_exactly_where_the_interval_leaves_out_zero(table, level) -> None:
    interval, p = crossed_interval(table, level), crossed_p_value(table)
    assert (p is None) == (interval.low_pp is None)
    if p is None or interval.high_pp - interval.low_pp < 1e-6:
        return
    if abs(p - (1 - level)) > 1e-9:
        assert (p < 1 - level) == (interval.low_pp > 0 or interval.high_pp < 0)


def test_one_setting_is_scipys_paired_t() -> None:
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.9])
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert crossed_p_value(differences[None]) == pytest.approx(expected)


@given(st.integers(2, 12), st.integers(2, 12))
def test_equal_differences_prove_no_more_than_the_smaller_factor(settings, seeds) -> None:
    fewer = min(settings, seeds)
    assert crossed_p_value(np.full((settings, seeds), 0.25)) == 2 / 2**fewer
    assert crossed_p_value(np.zeros((settings, seeds))) == 1.0


@pytest.mark.parametrize(("settings", "seeds"), [(2, 12), (12, 2), (3, 5)])
@pytest.mark.parametrize("varies", ["settings", "seeds"])
def test_luck_makes_equal_differences_no_more_often_than_their_p(settings, seeds, varies) -> None:
    """Whichever factor decides the sign of all its cells, without a true difference."""
    random = np.random.default_rng(0)
    shape = (1000, settings, 1) if varies == "settings" else (1000, 1, seeds)
    tables = np.broadcast_to(random.choice([-1.0, 1.0], shape), (1000, settings, seeds))
    equal = np.ptp(tables, axis=(1, 2)) == 0
    assert equal.mean() <= crossed_p_value(np.ones((settings, seeds))) + 0.04


def test_means_that_agree_leave_no_spread_though_cells_do() -> None:
    cells = np.array([[1.0, -1.0] * 2 + [0.0], [-1.0, 1.0] * 2 + [0.0]])
    assert crossed_p_value(cells + 0.25) == 0.5
    assert crossed_p_value(cells) == 1.0


def test_where_there_is_no_interval_there_is_no_p() -> None:
    assert crossed_p_value(np.arange(4.0)[:, None]) is None
    assert crossed_p_value(np.arange(2.0)[None]) is None
    assert crossed_p_value(np.full((3, 4), np.nan)) is None


def test_what_is_missing_is_left_out_as_the_interval_does() -> None:
    table = np.random.default_rng(0).normal(1, 1, (3, 5))
    table[1:, 4] = np.nan
    assert crossed_p_value(table) == crossed_p_value(table[:, :4])


def test_holm_by_hand() -> None:
    assert holm([0.01, None, 0.04, 0.03, 0.005]) == pytest.approx([0.03, None, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(P_VALUES)
def test_holm_is_never_below_the_raw_p_nor_above_bonferroni(p_values) -> None:
    known = sum(p is not None for p in p_values)
    for raw, corrected in zip(p_values, holm(p_values), strict=True):
        assert (raw is None) == (corrected is None)
        if raw is not None:
            assert raw <= corrected <= min(1.0, known * raw)


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order_of_settings(p_values, random) -> None:
    order = list(range(len(p_values)))
    random.shuffle(order)
    corrected = holm(p_values)
    assert holm([p_values[i] for i in order]) == [corrected[i] for i in order]


def test_holm_keeps_false_claims_below_five_percent() -> None:
    random = np.random.default_rng(0)
    false = sum(
        any(p < 0.05 for p in holm([paired_p_value(d) for d in random.normal(size=(9, 6))]))
        for _ in range(2000)
    )
    assert false / 2000 < 0.06


@pytest.mark.parametrize(
    ("mean", "p", "word"),
    [
        (0.4, 0.049, "ahead"),
        (-0.4, 0.049, "behind"),
        (0.4, 0.05, "no clear gap"),
        (0.4, None, "no clear gap"),
        (None, None, "no clear gap"),
    ],
)
def test_a_claim_needs_the_corrected_p(mean, p, word) -> None:
    assert claim(mean, p) == word


def test_a_setting_that_is_alone_significant_is_not_claimed_among_many(made_up) -> None:
    """p of about 0.03 in one setting: a claim by itself, none among four."""

    def accuracy(method, tau, setting, seed):
        ahead = (0.1, 0.2, 0.3, 0.45, 0.02, 0.1)[seed] / 100 if setting == 0 else (-1) ** seed / 300
        return 0.9, 0.9 + (ahead if method == "mkd" else 0.0)

    first, *others = results_of(made_up(accuracy=accuracy, seeds=6))
    assert 0.0125 < first.p_value < 0.05
    assert first.versus_baseline.low_pp > 0
    assert first.p_holm == pytest.approx(4 * first.p_value)
    assert {setting.claim for setting in (first, *others)} == {"no clear gap"}
    [alone] = results_of(
        made_up(scales=(1.0,), augmentations=("none",), accuracy=accuracy, seeds=6)
    )
    assert alone.claim == "ahead"


def test_the_difference_to_the_default_is_paired_too(made_up) -> None:
    def accuracy(method, tau, setting, seed):
        return 0.9, 0.8 + seed / 100 + (0.02 + seed / 1000 if method == "mkd" else 0.0)

    for setting in results_of(made_up(accuracy=accuracy, strategies=("fixed", "meta"))):
        assert setting.versus_fixed.mean_pp == pytest.approx(2.15)
        differences = np.array([2.0, 2.1, 2.2, 2.3])
        expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert setting.versus_fixed.low_pp == pytest.approx(expected.low)
        assert setting.p_value is setting.p_holm is None
    for setting in results_of(made_up(strategies=("grid", "meta"))):
        assert setting.versus_fixed is None

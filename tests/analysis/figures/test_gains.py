import numpy as np
import pytest

from metakd.analysis.costs import costs_of
from metakd.analysis.figures.gains import gains_over_scales, search_gains
from metakd.analysis.grid import choose
from metakd.analysis.statistics.intervals import crossed_interval
from metakd.analysis.table import make_table


def gains_of(study):
    table = make_table(study.record(), tuple(study.rows()))
    return search_gains(table, choose(table), costs_of(table))


def by_hand(learned):
    def accuracy(method, tau, setting, seed):
        """Validation ranks 8, 4, 2, 1; on test they reach 90, 88, 87 and 86."""
        if method == "mkd":
            return 0.5, learned
        return tau / 100, {0.0: 0.8, 1.0: 0.86, 2.0: 0.87, 4.0: 0.88, 8.0: 0.90}[tau]

    return accuracy


@pytest.mark.parametrize(
    ("learned", "size_to_match"),
    [(0.91, None), (0.90, 4), (0.895, 3), (0.8951, 4), (0.86, 1)],
)
def test_gains_and_the_grid_that_catches_up(made_up, learned, size_to_match) -> None:
    small, large = gains_of(made_up(accuracy=by_hand(learned)))
    assert (small.label, small.scale) == ("10 % of the data", 0.1)
    assert (large.label, large.scale) == ("100 % of the data", 1.0)
    # Of the four subsets of three, three hold τ = 8 and one is led by τ = 4.
    expected = [87.75 - 88, (3 * 90 + 2 * 88 + 87) / 6 - 88, (3 * 90 + 88) / 4 - 88, 2.0]
    for gain in (small, large):
        assert gain.sizes == (1, 2, 3, 4)
        assert [k.mean_pp for k in gain.grid] == pytest.approx(expected)
        assert gain.learned.mean_pp == pytest.approx(100 * learned - 88)
        assert gain.learned_runs == pytest.approx(1.6)
        assert gain.size_to_match == size_to_match
        assert gain.is_apart == (size_to_match is None)
    over = gains_over_scales((small, large))
    assert (over.scales, over.largest_size) == (2, 4)
    assert over.low_size == over.high_size == size_to_match
    assert over.unmatched == (2 if size_to_match is None else 0)


def test_intervals_are_over_the_settings_of_the_scale(made_up) -> None:
    study = made_up()
    table = make_table(study.record(), tuple(study.rows()))
    whole = 100 * (table.runs("meta").test_acc_last - table.runs("fixed").test_acc_last)[0]
    for rows, gain in zip(((0, 1), (2, 3)), gains_of(study), strict=True):
        assert gain.learned == crossed_interval(whole[list(rows)])
        assert "2 settings × 4 seeds" in gain.learned.method


def test_a_better_search_gains_more_under_a_perfect_validation(made_up) -> None:
    def perfect(method, tau, setting, seed):
        test = np.random.default_rng([int(tau), setting, seed]).uniform(0.8, 0.9)
        return test, test

    for gain in gains_of(made_up(accuracy=perfect)):
        means = [k.mean_pp for k in gain.grid]
        assert means == sorted(means)


def test_all_are_over_the_same_pairs(made_up) -> None:
    study = made_up(absent=lambda row: (row["method"], row["seed"]) == ("mkd", 3))
    for gain in gains_of(study):
        assert {k.pairs for k in (*gain.grid, gain.learned)} == {6}


def test_what_did_not_run_leaves_what_did(made_up) -> None:
    for gain in gains_of(made_up(strategies=("fixed", "grid"))):
        assert gain.learned is gain.learned_runs is gain.size_to_match is None
        assert gain.grid[0].pairs == 8
    assert gains_over_scales(gains_of(made_up(strategies=("fixed", "grid")))) is None
    assert gains_of(made_up(strategies=("fixed", "meta"))) == ()
    assert gains_of(made_up(strategies=("grid", "meta"))) == ()
    only_large = gains_of(made_up(absent=lambda row: row["scale"] == 0.1))
    assert [gain.scale for gain in only_large] == [1.0]

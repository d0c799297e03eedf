import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.analysis.figures.reliability import _profile, loss_profiles
from metakd.analysis.grid import choose
from metakd.analysis.table import make_table


def profiles_of(study):
    table = make_table(study.record(), tuple(study.rows()))
    return {profile.strategy: profile for profile in loss_profiles(table, choose(table))}


def by_hand(method, tau, setting, seed):
    """τ = 8 is best on validation and has 0.90 on test; learning is ahead in seed 0 alone."""
    if method == "mkd":
        return 0.5, (0.91, 0.90, 0.89, 0.89)[seed]
    return tau / 100, {0.0: 0.8, 1.0: 0.86, 2.0: 0.87, 4.0: 0.88, 8.0: 0.90}[tau]


def test_losses_are_against_the_best_fixed_temperature(made_up) -> None:
    profiles = profiles_of(made_up(accuracy=by_hand))
    assert profiles["meta"].loss_pp == pytest.approx((-1.0, 0.0, 1.0))
    assert profiles["meta"].share == (0.25, 0.5, 1.0)
    assert profiles["meta"].share_not_behind == 0.5
    assert profiles["grid"].loss_pp == (0.0,)
    assert profiles["grid"].share_not_behind == 1.0
    assert profiles["fixed"].loss_pp == pytest.approx((2.0,))
    assert profiles["ce"].loss_pp == pytest.approx((10.0,))
    assert {profile.pairs for profile in profiles.values()} == {16}


def test_the_best_is_chosen_on_validation_over_seeds(made_up) -> None:
    def accuracy(method, tau, setting, seed):
        """Seed 3 prefers τ = 1, the average τ = 8."""
        validation = {1.0: 0.1 + 0.5 * (seed == 3), 8.0: 0.5}.get(tau, 0.0)
        return validation, tau / 10

    profiles = profiles_of(made_up(scales=(1.0,), accuracy=accuracy))
    assert profiles["grid"].loss_pp == pytest.approx((0.0, 70.0))
    assert profiles["grid"].share == (0.75, 1.0)


def test_all_are_over_the_same_pairs(made_up) -> None:
    study = made_up(accuracy=by_hand, absent=lambda row: (row["method"], row["seed"]) == ("mkd", 3))
    profiles = profiles_of(study)
    assert {profile.pairs for profile in profiles.values()} == {12}
    nothing_learned = profiles_of(made_up(absent=lambda row: row["method"] == "mkd"))
    assert set(nothing_learned) == {"ce", "fixed", "grid"}
    assert nothing_learned["grid"].pairs == 16


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=900))
def test_shares_are_exact_however_many_pairs(losses) -> None:
    losses = np.sort(np.array(losses, dtype=float))
    profile = _profile("meta", losses)
    assert len(profile.loss_pp) <= 200
    assert list(profile.loss_pp) == sorted(set(profile.loss_pp))
    for loss, share in zip(profile.loss_pp, profile.share, strict=True):
        assert share == pytest.approx((losses <= loss).mean())
    assert (profile.loss_pp[-1], profile.share[-1]) == (losses.max(), 1.0)
    assert profile.share_not_behind == pytest.approx((losses <= 0).mean())


def test_without_a_grid_there_is_no_best(made_up) -> None:
    assert profiles_of(made_up(strategies=("fixed", "meta"))) == {}
    assert profiles_of(made_up(absent=lambda row: row["tau_s_init"] == 1.0)) == {}


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=500))
def test_a_loss_at_a_share_is_the_least_that_so_many_do_not_exceed(losses) -> None:
    ordered = np.sort(np.array(losses))
    profile = _profile("meta", ordered)
    for share, loss in zip(profile.at_shares, profile.loss_at_share_pp, strict=True):
        assert (ordered <= loss).mean() >= share - 1e-9
        assert (ordered < loss).mean() < share

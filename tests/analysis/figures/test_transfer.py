import numpy as np
import pytest

from metakd.analysis.figures.transfer import transfer_regret
from metakd.analysis.grid import choose
from metakd.analysis.table import make_table


def regret_of(study):
    table = make_table(study.record(), tuple(study.rows()))
    return transfer_regret(table, choose(table))


def by_hand(method, tau, setting, seed):
    """Setting 0 is best at τ = 1, setting 1 at τ = 8; a factor of two costs one point."""
    if method == "mkd":
        return 0.9, 0.895
    distance = abs(np.log2((tau or 1.0) / (1.0, 8.0)[setting]))
    return 0.9 - distance / 100, 0.9 - distance / 100


def test_the_regret_is_what_the_move_costs(made_up) -> None:
    regret = regret_of(made_up(scales=(1.0,), accuracy=by_hand))
    assert regret.keys == ("100 % · none", "100 % · strong")
    assert np.allclose(regret.regret_pp, [[0.0, 3.0], [3.0, 0.0]])
    assert regret.mean_pp == pytest.approx(3.0)
    assert regret.fixed_pp == pytest.approx((2.0, 1.0))
    assert regret.learned_pp == pytest.approx((0.5, 0.5))


def test_staying_at_home_costs_nothing(made_up) -> None:
    regret = regret_of(made_up(scales=(0.1, 0.3, 1.0)))
    assert np.allclose(np.diag(np.array(regret.regret_pp)), 0.0)


def test_the_choice_is_on_validation_and_the_price_on_test(made_up) -> None:
    def misled(method, tau, setting, seed):
        validation, test = by_hand(method, tau, setting, seed)
        return validation, 1 - test

    regret = regret_of(made_up(scales=(1.0,), accuracy=misled))
    assert np.allclose(regret.regret_pp, [[0.0, -3.0], [-3.0, 0.0]])


def test_strategies_that_did_not_run_are_none(made_up) -> None:
    regret = regret_of(made_up(strategies=("grid",)))
    assert regret.fixed_pp == regret.learned_pp == (None,) * 4


def test_a_setting_without_data_is_none(made_up) -> None:
    regret = regret_of(made_up(absent=lambda row: row["scale"] == 0.1))
    assert regret.regret_pp[0] == (None,) * 4
    assert [row[0] for row in regret.regret_pp] == [None] * 4
    assert regret.regret_pp[2][2] == 0.0
    assert regret.fixed_pp[0] is None


def test_fewer_than_two_settings_have_no_transfer(made_up) -> None:
    assert regret_of(made_up(scales=(1.0,), augmentations=("none",))) is None
    assert regret_of(made_up(strategies=("fixed", "meta"))) is None
    assert regret_of(made_up(absent=lambda row: True)) is None

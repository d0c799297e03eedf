import pytest

from metakd.analysis.grid import choose
from metakd.analysis.reached import wall_clock
from metakd.analysis.table import make_table


def clock_of(study):
    table = make_table(study.record(), tuple(study.rows()))
    return wall_clock(table, choose(table))


def test_a_grid_shrinks_with_workers_and_learning_does_not(made_up) -> None:
    clock = clock_of(made_up(temperatures=(1.0, 2.0, 4.0, 8.0, 16.0), learned_cost=1.6))
    assert clock.workers == (1, 2, 4, 5)
    assert clock.grid_s == pytest.approx((15.0, 9.0, 6.0, 3.0))
    assert clock.learned_s == pytest.approx((4.8,) * 4)


@pytest.mark.parametrize(
    ("size", "workers"), [(1, (1,)), (2, (1, 2)), (8, (1, 2, 4, 8)), (9, (1, 2, 4, 8, 9))]
)
def test_workers_double_up_to_the_size_of_the_grid(made_up, size, workers) -> None:
    taus = tuple(float(tau) for tau in range(1, size + 1))
    assert clock_of(made_up(temperatures=taus, seeds=1)).workers == workers


def test_both_are_of_the_same_settings(made_up) -> None:
    study = made_up(absent=lambda row: row["method"] == "mkd" and row["scale"] == 0.1)
    rows = [
        row | {"wall_s": row["wall_s"] * (1 if row["scale"] == 1.0 else 100)}
        for row in study.rows()
    ]
    table = make_table(study.record(), tuple(rows))
    clock = wall_clock(table, choose(table))
    assert (clock.grid_s[0], clock.learned_s[0]) == pytest.approx((12.0, 4.8))


def test_what_was_not_timed_is_not_told(made_up) -> None:
    assert clock_of(made_up(strategies=("grid",))) is None
    assert clock_of(made_up(strategies=("fixed", "meta"))) is None
    assert clock_of(made_up(overrides={"wall_s": None})) is None
    assert clock_of(made_up(absent=lambda row: row["method"] == "mkd")) is None

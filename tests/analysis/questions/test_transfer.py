from dataclasses import replace

import numpy as np
import pytest

from metakd.analysis.costs import costs_of
from metakd.analysis.figures.transfer import transfer_regret
from metakd.analysis.grid import choose
from metakd.analysis.questions.transfer import reuse
from metakd.analysis.statistics.intervals import crossed_interval
from metakd.analysis.statistics.selection import chosen_by_others
from metakd.analysis.table import FACTORS, make_table


def tables_of(study):
    table = make_table(study.record(), tuple(study.rows()))
    return table, choose(table)


def reuse_of(study):
    table, grid = tables_of(study)
    return reuse(table, grid, costs_of(table))


def by_hand(method, tau, setting, seed):
    """Setting 0 is best at τ = 1, setting 1 at τ = 8; a factor of two costs one point."""
    if method == "mkd":
        return 0.9, 0.895
    distance = abs(np.log2((tau or 1.0) / (1.0, 8.0)[setting]))
    return 0.9 - distance / 100, 0.9 - distance / 100


def factors_of_many(made_up, **changes):
    usual = {"teachers": ("a", "b"), "students": ("s", "m"), "datasets": ("x", "y"), "seeds": 3}
    return made_up(**(usual | changes))


def test_the_move_costs_what_the_other_temperature_costs(made_up) -> None:
    found = reuse_of(made_up(scales=(1.0,), accuracy=by_hand))
    assert [moves.along for moves in found.moves] == ["any", "augmentation"]
    for moves in found.moves:
        assert (moves.moves, moves.changed, moves.targets) == (2, 2, 2)
        assert moves.regret.mean_pp == pytest.approx(3.0)
        assert moves.learned.mean_pp == pytest.approx(2.5)
        assert moves.default.mean_pp == pytest.approx(1.5)
        assert moves.share_ahead == 1
        assert moves.worst_pp == pytest.approx(3.0)
        assert {moves.worst_source, moves.worst_target} == {"100 % · none", "100 % · strong"}
    assert found.tuning_runs == 4
    assert found.reusing_runs == 5


def test_moves_are_those_that_change_one_factor_alone(made_up) -> None:
    study = factors_of_many(made_up)
    found = reuse_of(study)
    assert [moves.along for moves in found.moves] == ["any", *FACTORS]
    assert found.moves[0].moves == 32 * 31
    assert {moves.moves for moves in found.moves[1:]} == {32}
    two = reuse_of(replace(study, students=("s", "m", "l"), datasets=("x",)))
    assert {moves.along: moves.moves for moves in two.moves} == {
        "any": 24 * 23, "scale": 24, "augmentation": 24, "teacher": 24, "student": 48,
    }  # fmt: skip


def test_every_number_is_that_of_a_plain_loop(made_up) -> None:
    study = factors_of_many(made_up, scales=(0.1, 0.5, 1.0), augmentations=("none", "strong"))
    table, grid = tables_of(study)
    found = reuse(table, grid, costs_of(table))
    test = grid.runs.test_acc_last
    for moves in found.moves:
        pairs = [
            (a, b)
            for a, source in enumerate(table.settings)
            for b, target in enumerate(table.settings)
            if a != b and (moves.along == "any"
                           or [f for f in FACTORS if source[f] != target[f]] == [moves.along])
        ]  # fmt: skip
        moved = {(a, b): test[grid.best_on_average[a], b] for a, b in pairs}
        learned, regret, ahead = [], [], []
        for target in dict.fromkeys(b for _, b in pairs):
            mean = np.mean([moved[pair] for pair in pairs if pair[1] == target], axis=0)
            learned.append(100 * (table.runs("meta").test_acc_last[0, target] - mean))
            own = []
            for seed in range(3):
                others = [s for s in range(3) if s != seed]
                choice = grid.runs.val_acc_last[:, target, others].mean(axis=1).argmax()
                own.append(test[choice, target, seed])
            regret.append(100 * (np.array(own) - mean))
        for a, b in pairs:
            ahead.append(table.runs("meta").test_acc_last[0, b].mean() > moved[a, b].mean())
        for got, cells in ((moves.learned, learned), (moves.regret, regret)):
            wanted = crossed_interval(np.array(cells))
            assert got.mean_pp == pytest.approx(wanted.mean_pp)
            assert (got.low_pp, got.high_pp) == pytest.approx((wanted.low_pp, wanted.high_pp))
        assert moves.share_ahead == pytest.approx(np.mean(ahead))
    matrix = transfer_regret(table, grid)
    assert found.moves[0].worst_pp == pytest.approx(max(map(max, matrix.regret_pp)))


def test_no_seed_chooses_for_itself() -> None:
    # The first seed was lucky at the second temperature.
    validation = np.array([[[0.5, 0.6, 0.6]], [[0.9, 0.5, 0.5]]])
    assert chosen_by_others(validation, (1.0, 4.0), 4.0).tolist() == [[0, 1, 1]]
    assert chosen_by_others(validation[..., :1], (1.0, 4.0), 4.0).tolist() == [[-1]]
    validation[0, 0, 2] = np.nan
    assert chosen_by_others(validation, (1.0, 4.0), 4.0).tolist() == [[0, 1, 1]]


def test_where_all_temperatures_are_equal_tuning_gains_nothing(made_up) -> None:
    study = made_up(
        scales=(0.1, 0.4, 1.0), augmentations=("none", "strong"), seeds=5, strategies=("grid",),
    )  # fmt: skip
    table, grid = tables_of(study)
    random = np.random.default_rng(3)
    verdicts, means = [], []
    for _ in range(150):
        luck = random.normal(0, 0.8, grid.runs.test_acc_last.shape)
        val, test = ((luck + random.normal(0, 0.6, luck.shape)) / 100 for _ in range(2))
        runs = replace(grid.runs, val_acc_last=val, test_acc_last=test)
        drawn = replace(table, strategy_runs=(runs,))
        overall = reuse(drawn, choose(drawn), costs_of(drawn)).moves[0]
        verdicts.append(overall.regret_claim)
        means.append(overall.regret.mean_pp)
    assert np.mean([claim != "no clear gap" for claim in verdicts]) <= 0.05
    # Seeds that choose for themselves would gain about 0.3.
    assert abs(np.mean(means)) < 0.05


def test_claims_along_factors_are_corrected_together(made_up) -> None:
    def costly_augmentation(method, tau, setting, seed):
        noise = np.random.default_rng([setting, seed, int(tau)]).normal(0, 0.0005)
        top = (1.0, 8.0)[setting % 2]
        score = 0.9 - abs(np.log2((tau or 1.0) / top)) / 100 if method == "kd" else 0.9
        return score, score + noise

    study = made_up(scales=(0.1, 0.4, 0.7, 1.0), seeds=6, accuracy=costly_augmentation)
    overall, along_scale, along_augmentation = reuse_of(study).moves
    assert (along_scale.along, along_scale.changed) == ("scale", 0)
    assert along_scale.regret_claim == "no clear gap"
    assert along_augmentation.regret_claim == "ahead"
    assert along_augmentation.regret_verdict == overall.regret_verdict == "better"


def test_what_did_not_run_is_not_compared(made_up) -> None:
    found = reuse_of(made_up(strategies=("grid",)))
    for moves in found.moves:
        assert moves.learned.mean_pp is moves.default.mean_pp is moves.share_ahead is None
        assert moves.learned_verdict == "no data"
    one_seed = reuse_of(made_up(seeds=1)).moves[0]
    assert one_seed.regret_verdict == "no data"
    assert one_seed.learned_claim == "no clear gap"
    assert one_seed.learned.mean_pp is not None


def test_a_setting_without_a_complete_grid_neither_gives_nor_takes(made_up) -> None:
    study = made_up(absent=lambda row: row["scale"] == 0.1 and row["augmentation"] == "none")
    overall = reuse_of(study).moves[0]
    assert (overall.moves, overall.targets) == (6, 3)


def test_fewer_than_two_settings_have_nothing_to_reuse(made_up) -> None:
    assert reuse_of(made_up(scales=(1.0,), augmentations=("none",))) is None
    assert reuse_of(made_up(strategies=("fixed", "meta"))) is None
    assert reuse_of(made_up(absent=lambda row: True)) is None

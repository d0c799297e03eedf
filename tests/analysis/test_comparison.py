import numpy as np
import pytest

from metakd.analysis.costs import costs_of
from metakd.analysis.grid import choose
from metakd.analysis.questions.grid_vs_meta import compare
from metakd.analysis.table import make_table


def compared(study):
    table = make_table(study.record(), tuple(study.rows()))
    return {
        comparison.baseline: comparison
        for comparison in compare(table, choose(table), costs_of(table))
    }


def by_hand(method, tau, setting, seed):
    """Validation's best is τ = 8 with 0.90 on test; τ = 4 has 0.88; learning 0.91."""
    if method == "mkd":
        return 0.5, 0.91
    return tau / 100, {0.0: 0.8, 1.0: 0.86, 2.0: 0.87, 4.0: 0.88, 8.0: 0.90}[tau]


def test_the_three_baselines_and_their_differences(made_up) -> None:
    full, equal, none = compared(made_up(accuracy=by_hand)).values()
    assert (full.baseline, equal.baseline, none.baseline) == (
        "full_grid",
        "equal_cost_grid",
        "no_search",
    )
    assert full.label == "Full grid (4 temperatures)"
    assert equal.label == "Grid of equal cost (2 of 4 temperatures)"
    assert none.label == "No search (τ = 4)"
    assert full.effect.mean_pp == pytest.approx(1.0)
    assert none.effect.mean_pp == pytest.approx(3.0)
    # Of 6 pairs of temperatures 3 hold τ = 8, 2 more τ = 4, the last τ = 2.
    assert equal.effect.mean_pp == pytest.approx(91 - (3 * 90 + 2 * 88 + 87) / 6)
    assert full.share_ahead == none.share_ahead == 1.0
    assert {full.accuracy_verdict, equal.accuracy_verdict, none.accuracy_verdict} == {"better"}


def test_every_run_is_charged(made_up) -> None:
    full, equal, none = compared(made_up(learned_cost=1.6)).values()
    for comparison, runs in ((full, 4.0), (equal, 2.0), (none, 1.0)):
        assert comparison.baseline_runs == pytest.approx(runs)
        assert comparison.learned_runs == pytest.approx(1.6)
    assert (full.cost_verdict, full.cost_factor) == ("cheaper", pytest.approx(4 / 1.6))
    assert (none.cost_verdict, none.cost_factor) == ("dearer", pytest.approx(1.6))


def test_a_tie_is_not_ahead(made_up) -> None:
    comparisons = compared(made_up(accuracy=lambda *run: (0.5, 0.1 + 0.2)))
    assert comparisons["full_grid"].share_ahead == 0.0
    assert comparisons["full_grid"].accuracy_verdict == "equivalent"


def test_a_pair_needs_all_of_the_grid(made_up) -> None:
    comparisons = compared(made_up(absent=lambda row: (row["tau_s_init"], row["seed"]) == (1.0, 0)))
    assert comparisons["full_grid"].missing_pairs == 4
    assert comparisons["full_grid"].effect.pairs == 12
    assert comparisons["equal_cost_grid"].missing_pairs == 4
    assert comparisons["no_search"].missing_pairs == 0


@pytest.mark.parametrize(
    ("strategies", "with_data"),
    [
        (("ce", "fixed", "grid"), set()),
        (("ce", "meta"), set()),
        (("fixed", "meta"), {"no_search"}),
        (("grid", "meta"), {"full_grid", "equal_cost_grid"}),
    ],
)
def test_what_did_not_run_has_no_data(made_up, strategies, with_data) -> None:
    comparisons = compared(made_up(strategies=strategies))
    assert {name for name, c in comparisons.items() if c.accuracy_verdict != "no data"} == with_data
    for name in set(comparisons) - with_data:
        absent = comparisons[name]
        assert absent.effect.mean_pp is absent.share_ahead is absent.baseline_runs is None
        assert absent.missing_pairs == 0


def test_the_selected_epoch_has_its_own_choice(made_up) -> None:
    study = made_up(accuracy=by_hand)
    rows = [
        row | {"val_acc_selected": -row["val_acc_last"], "test_acc_selected": row["test_acc_last"]}
        for row in study.rows()
    ]
    table = make_table(study.record(), tuple(rows))
    full = compare(table, choose(table), costs_of(table))[0]
    assert full.effect.mean_pp == pytest.approx(1.0)
    assert full.effect_selected.mean_pp == pytest.approx(91 - 86)


def test_differences_are_paired(made_up) -> None:
    """What moves a whole pair, a hard seed in a hard setting, leaves no trace."""

    def accuracy(method, tau, setting, seed):
        hard = np.random.default_rng([setting, seed]).uniform(0, 0.3)
        validation, test = by_hand(method, tau, setting, seed)
        return validation - hard, test - hard

    full = compared(made_up(accuracy=accuracy))["full_grid"]
    assert full.effect.mean_pp == pytest.approx(1.0)
    assert full.effect.high_pp - full.effect.low_pp == pytest.approx(0.0, abs=1e-9)

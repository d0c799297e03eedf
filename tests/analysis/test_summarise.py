import json
from dataclasses import replace
from pathlib import Path

import pytest

from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.analysis.summary import SUMMARY_VERSION
from metakd.results.study import StoreError
from metakd.results.writer import finished_trial, write_trials

NOTHING = {"absent": lambda row: True}
CASES = {
    "whole": {},
    "one seed": {"seeds": 1},
    "two seeds, one setting": {"seeds": 2, "scales": (1.0,), "augmentations": ("none",)},
    "nothing learned": {"strategies": ("ce", "fixed", "grid")},
    "no grid": {"strategies": ("fixed", "meta")},
    "learned only": {"strategies": ("meta",)},
    "no teacher only": {"strategies": ("ce",)},
    "one temperature": {"temperatures": (4.0,)},
    "unfinished": {"absent": lambda row: row["seed"] == 3 and row["method"] == "mkd"},
    "nothing run": NOTHING,
    "all failed": {"overrides": {"status": "failed"}},
    "no seconds": {"overrides": {"student_compute_s": None}},
}


@pytest.mark.parametrize("case", CASES)
def test_a_summary_survives_the_disk(made_up, tmp_path: Path, case) -> None:
    study = made_up(**{"scales": (1.0,), **CASES[case]})
    summary = summarise(study.write(tmp_path))
    write_summary(tmp_path, summary)
    first = (tmp_path / "summary.json").read_text()
    read = read_summary(tmp_path)
    write_summary(tmp_path, read)
    assert (tmp_path / "summary.json").read_text() == first
    assert read_summary(tmp_path) == read
    assert read.verdict == summary.verdict
    json.loads(first, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_what_was_put_in_comes_out(made_up, tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        """Validation's best is τ = 8 with 0.90 on test; learning reaches 0.91."""
        if method == "mkd":
            return 0.5, 0.91
        return tau / 100, {0.0: 0.8, 1.0: 0.86, 2.0: 0.87, 4.0: 0.88, 8.0: 0.90}[tau]

    summary = summarise(made_up(accuracy=accuracy).write(tmp_path))
    assert (summary.study, summary.margin_pp, summary.fixed_tau) == ("made up", 0.2, 4.0)
    assert summary.verdict.badge == "Better, 2.5 times cheaper"
    assert len(summary.settings) == len(summary.responses) == len(summary.trajectories) == 4
    for setting in summary.settings:
        reached = {s.strategy: (s.test_pp, s.runs, s.seeds) for s in setting.scores}
        assert reached == {
            "ce": (pytest.approx(80), 1, 4),
            "fixed": (pytest.approx(88), 1, 4),
            "grid": (pytest.approx(90), 4, 4),
            "meta": (pytest.approx(91), pytest.approx(1.6), 4),
        }
        assert setting.seeds == (0, 1, 2, 3)
        assert setting.differences_pp == pytest.approx((1, 1, 1, 1))
        assert (setting.best_tau, setting.best_tau_by_seed) == (8.0, (8.0,) * 4)
        assert (setting.learned_tau_s, setting.learned_tau_t) == (5.0, 3.0)
        assert setting.verdict == "better"
        assert setting.versus_fixed.mean_pp == pytest.approx(3)
        # Four seeds that agree exactly: 2 / 2⁴, and that for four settings.
        assert (setting.p_value, setting.p_holm) == (0.125, 0.5)
        assert setting.claim == "no clear gap"
    for curve in summary.responses:
        assert curve.taus == (1.0, 2.0, 4.0, 8.0)
        assert curve.mean_pp == pytest.approx((86, 87, 88, 90))
        assert curve.minus_best_pp == pytest.approx((-4, -3, -2, 0))
        assert curve.learned_minus_best_pp == pytest.approx(1)
    full = summary.comparisons[0]
    assert (full.cost_verdict, full.cost_factor) == ("cheaper", pytest.approx(2.5))
    assert summary.spec["temperatures"] == "1, 2, 4, 8"
    assert [gain.label for gain in summary.gains] == ["10 % of the data", "100 % of the data"]
    names = ["ce", "fixed", "grid", "meta"]
    assert [curve.strategy for curve in summary.anytime] == names
    assert [curve.strategy for curve in summary.degradations[::2]] == names
    assert [profile.strategy for profile in summary.profiles] == names
    assert summary.profiles[-1].loss_pp == pytest.approx((-1,))
    assert summary.optimism.pairs == 16
    assert summary.detectable is None  # no difference varies here
    assert summary.wall_clock.workers == (1, 2, 4)
    assert summary.inventory.planned == summary.inventory.finished == 6 * 16
    assert (summary.inventory.planned_pairs, summary.inventory.complete_pairs) == (16, 16)
    assert summary.inventory.student_compute_s == pytest.approx(16 * (5 * 2.0 + 3.2))


def test_only_planned_trials_count(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,))
    before = summarise(study.write(tmp_path))
    stray = study.rows()[0] | {"trial_id": "stray", "test_acc_last": 0.0}
    write_trials(tmp_path, [finished_trial(stray, [])])
    assert summarise(tmp_path) == before


def test_a_band_stays_inside_what_an_accuracy_can_be(made_up, tmp_path: Path) -> None:
    def spread(method, tau, setting, seed):
        return 0.5, (0.0, 1.0, 0.0, 1.0)[seed]

    summary = summarise(made_up(scales=(1.0,), accuracy=spread).write(tmp_path))
    for curve in summary.responses:
        assert set(curve.low_pp) == {0.0}
        assert set(curve.high_pp) == {100.0}


def test_a_folder_without_a_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no study"):
        summarise(tmp_path)


def test_a_summary_that_cannot_be_read_is_an_error(made_up, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"holds no summary\.json"):
        read_summary(tmp_path)
    summary = summarise(made_up(scales=(1.0,), **NOTHING).write(tmp_path))
    write_summary(tmp_path, replace(summary, summary_version=99))
    with pytest.raises(StoreError, match="another version"):
        read_summary(tmp_path)
    (tmp_path / "summary.json").write_text(f'{{"summary_version": {SUMMARY_VERSION}}}')
    with pytest.raises(StoreError, match="is damaged"):
        read_summary(tmp_path)

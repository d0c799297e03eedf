"""What is said of studies that are small, broken or half there is true, and no more than that."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from metakd.analysis.summarise import summarise
from metakd.dashboards.terminal import settings_table, verdict_lines
from metakd.results.reader import read_study
from metakd.results.study import StoreError
from metakd.results.writer import write_failure, write_study


def clear_win(method, tau, setting, seed):
    """Learning is ahead by about two points, in every setting and seed."""
    noise = np.random.default_rng([setting, seed]).normal(0, 0.0005)
    return 0.9, 0.9 + ((0.02 + noise) if method == "mkd" else 0.0)


def said(summary) -> str:
    """Returns all words of the verdict, after checks that hold for every study."""
    verdict = summary.verdict
    text = " ".join([verdict.badge, verdict.headline, *verdict.sentences])
    for sentence in (verdict.headline, *verdict.sentences):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    for word in ("None", "nan", "inf"):
        assert word not in text
    has_interval = any(c.effect.low_pp is not None for c in summary.comparisons)
    assert has_interval or "95 % interval" not in text
    if not any(setting.claim != "no clear gap" for setting in summary.settings):
        assert "exception" not in text
    assert len(verdict_lines(summary)) <= 11
    assert settings_table(summary).row_count == len(summary.settings)
    return text


def test_no_finished_trial(made_up, tmp_path: Path) -> None:
    summary = summarise(made_up(absent=lambda row: True).write(tmp_path))
    text = said(summary)
    assert summary.verdict.badge == "No complete pair"
    assert "Finished: 0 of 96 planned trials." in text
    assert "accuracy" not in text
    empty = (summary.gains, summary.anytime, summary.degradations, summary.profiles, summary.costs)
    assert set(empty) == {()}
    assert summary.optimism is summary.detectable is summary.wall_clock is summary.transfer is None
    assert {setting.claim for setting in summary.settings} == {"no clear gap"}


@pytest.mark.parametrize(
    ("strategy", "badge"),
    [
        ("ce", "Nothing learned"),
        ("fixed", "Nothing learned"),
        ("grid", "Nothing learned"),
        ("meta", "Nothing to compare"),
    ],
)
def test_one_strategy_only(made_up, tmp_path: Path, strategy, badge) -> None:
    summary = summarise(made_up(strategies=(strategy,)).write(tmp_path))
    text = said(summary)
    assert summary.verdict.badge == badge
    assert "Mean test accuracy:" in text
    assert {c.accuracy_verdict for c in summary.comparisons} == {"no data"}
    assert {c.cost_verdict for c in summary.comparisons} == {"unknown"}
    assert [curve.strategy for curve in summary.anytime] == [strategy]
    assert {curve.strategy for curve in summary.degradations} == {strategy}
    assert summary.gains == ()
    assert summary.detectable is summary.wall_clock is None


def test_one_seed_claims_nothing_about_accuracy(made_up, tmp_path: Path) -> None:
    summary = summarise(made_up(seeds=1, accuracy=clear_win).write(tmp_path))
    text = said(summary)
    assert summary.verdict.badge == "Undecided, 2.5 times cheaper"
    assert "no interval: one seed does not show how much seeds differ" in text
    assert summary.detectable is None
    assert {setting.p_value for setting in summary.settings} == {None}
    assert {gain.learned.low_pp for gain in summary.gains} == {None}


def test_two_seeds_judge_the_average_and_no_setting(made_up, tmp_path: Path) -> None:
    summary = summarise(made_up(seeds=2, accuracy=clear_win).write(tmp_path))
    text = said(summary)
    assert summary.comparisons[0].effect.method == "two-way t over 4 settings × 2 seeds"
    assert {setting.versus_baseline.low_pp for setting in summary.settings} == {None}
    assert {setting.claim for setting in summary.settings} == {"no clear gap"}
    assert "single setting" not in text


@pytest.mark.parametrize(
    ("seeds", "badge", "ending"),
    [
        (6, "Better, 2.5 times cheaper", "in the one setting studied; it costs 40 % as much."),
        (2, "Undecided, 2.5 times cheaper", "in the one setting studied; it costs 40 % as much."),
    ],
)
def test_one_setting(made_up, tmp_path: Path, seeds, badge, ending) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), seeds=seeds, accuracy=clear_win)
    summary = summarise(study.write(tmp_path))
    text = said(summary)
    assert summary.verdict.badge == badge
    assert summary.verdict.headline.endswith(ending)
    assert ("no interval: it needs 3 pairs" in text) == (seeds == 2)
    assert ("paired t over 6 seeds" in text) == (seeds == 6)
    assert summary.degradations == ()
    assert summary.transfer is None
    if summary.detectable is not None:
        assert summary.detectable.now_pp is None


def test_failed_trials_are_counted_charged_and_named(made_up, tmp_path: Path) -> None:
    def is_lost(row):
        return (row["method"], row["seed"]) == ("mkd", 3)

    made_up(accuracy=clear_win, absent=is_lost).write(tmp_path)
    for row in made_up(accuracy=clear_win).rows():
        if is_lost(row):
            identity = {k: row[k] for k in list(row)[: list(row).index("tau_s_last")]}
            failed = {"status": "failed", "name": row["trial_id"], "error": "loss is not finite"}
            write_failure(tmp_path, identity | failed)
    summary = summarise(tmp_path)
    text = said(summary)
    assert summary.inventory.failed == 4
    assert {failure.error for failure in summary.inventory.failures} == {"loss is not finite"}
    assert "Missing pairs: 4 of 16. Finished: 92 of 96 planned trials, 4 failed." in text
    assert "learning 2.1, failed runs charged" in text
    # Three results were paid with four runs.
    assert summary.runs == pytest.approx({"ce": 1, "fixed": 1, "grid": 4, "meta": 1.6 * 4 / 3})
    assert summary.verdict.badge == "Better, 1.9 times cheaper"


def test_all_failed_compares_nothing(made_up, tmp_path: Path) -> None:
    summary = summarise(made_up(overrides={"status": "failed"}).write(tmp_path))
    assert summary.verdict.badge == "No complete pair"
    assert "Finished: 0 of 96 planned trials, 96 failed." in said(summary)
    assert summary.costs == summary.gains == summary.anytime == ()


def test_a_study_that_still_runs_speaks_of_what_is_complete(made_up, tmp_path: Path) -> None:
    study = made_up(accuracy=clear_win, seeds=5)
    running = made_up(
        accuracy=clear_win,
        seeds=5,
        absent=lambda row: row["seed"] == 4 or (row["seed"] == 3 and row["scale"] == 1.0),
    )
    running.write(tmp_path)
    assert running.record() == study.record()
    summary = summarise(tmp_path)
    assert "Missing pairs: 6 of 20." in said(summary)
    effect = summary.comparisons[0].effect
    assert effect.pairs == 12
    assert effect.method == (
        "two-way t over 4 settings × 3 seeds; 2 pairs outside this complete block left out"
    )
    assert (summary.detectable.settings_now, summary.detectable.seeds_now) == (4, 3)


def test_a_study_that_was_only_planned(made_up, tmp_path: Path) -> None:
    write_study(tmp_path, made_up().record())
    assert summarise(tmp_path).verdict.badge == "No complete pair"


def test_without_curves_the_rest_is_there(made_up, tmp_path: Path) -> None:
    made_up(accuracy=clear_win).write(tmp_path)
    shutil.rmtree(tmp_path / "steps")
    summary = summarise(tmp_path)
    assert "Better" in said(summary)
    assert summary.anytime == summary.trajectories == ()
    assert len(summary.gains) == 2


@pytest.mark.parametrize("folder", ["trials", "steps"])
def test_a_torn_file_is_named(made_up, tmp_path: Path, folder) -> None:
    made_up(scales=(1.0,)).write(tmp_path)
    torn = tmp_path / folder / "mkd-4.0-0-0.parquet"
    torn.write_bytes(torn.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"mkd-4\.0-0-0\.parquet is damaged"):
        summarise(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperatures": None}, "cannot be read"),
        ({"margin_pp": "much"}, "cannot be read"),
        ({"strategies": ["grid", "tomorrow"]}, None),
    ],
)
def test_a_foreign_spec_is_one_clear_line_or_passed_over(
    made_up, tmp_path: Path, change, message
) -> None:
    made_up(scales=(1.0,)).write(tmp_path)
    record = read_study(tmp_path)
    record.spec.update(change)
    write_study(tmp_path, record)
    if message is None:
        assert summarise(tmp_path).verdict.badge == "Nothing learned"
    else:
        with pytest.raises(StoreError, match=message):
            summarise(tmp_path)


def test_a_foreign_setting_is_one_clear_line(made_up, tmp_path: Path) -> None:
    record = made_up().record()
    del record.settings[0]["scale"]
    write_study(tmp_path, record)
    with pytest.raises(StoreError, match="a setting of study 'made up' lacks 'scale'"):
        summarise(tmp_path)

"""What it would take to decide, for studies whose differences are known."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from made_up_study import BLOCK_S, deciding_study, taking_looks

from metakd.analysis.deciding import POWER, Deciding, prospect_of
from metakd.analysis.summarise import summarise


def deciding(gap_pp: float, noise: float, out: Path, most: int | None = None, **more) -> Deciding:
    taking_looks(deciding_study(gap_pp, noise, **more), out, most)
    found = summarise(out).deciding
    assert found is not None
    return found


def test_later_looks_and_wider_margins_decide_more_often(tmp_path: Path) -> None:
    found = deciding(0.2, 0.008, tmp_path, most=2)
    outlook = found.outlook
    assert outlook is not None
    assert not outlook.is_anew
    assert outlook.margins_pp == pytest.approx((0.15, 0.3, 0.45, 0.6))
    assert outlook.looks == (3, 4)
    # Two pilots took so long, so the next two take as long again.
    assert outlook.wall_s == pytest.approx((BLOCK_S, 2 * BLOCK_S))
    for row in outlook.probability:
        assert all(0 <= earlier <= later <= 1 for earlier, later in pairwise(row))
    for narrow, wide in pairwise(outlook.probability):
        assert narrow[-1] <= wide[-1] + 0.02


def test_the_prospect_is_the_outlooks_at_the_declared_margin(tmp_path: Path) -> None:
    found = deciding(0.2, 0.008, tmp_path, most=2)
    assert found.outlook is not None
    assert found.prospect is not None
    declared = found.outlook.probability[found.outlook.margins_pp.index(found.margin_pp)]
    assert found.prospect.probability in declared
    assert found.prospect.is_enough == (max(declared) >= POWER)
    sure = replace(found.outlook, probability=((1.0, 1.0),) * 4)
    assert prospect_of(sure, 0.3).wall_s == sure.wall_s[0]
    never = replace(found.outlook, probability=((0.1, 0.2),) * 4)
    told = prospect_of(never, 0.3)
    assert (told.wall_s, told.probability, told.is_enough) == (never.wall_s[1], 0.2, False)


def test_where_all_looks_were_taken_it_is_about_a_study_anew(tmp_path: Path) -> None:
    found = deciding(0.2, 0.02, tmp_path, pilots=(1.0, 1.5))
    assert found.is_at_its_end
    assert not found.goes_on
    assert found.prospect is None
    assert found.outlook is not None
    assert found.outlook.is_anew
    assert found.outlook.looks == (1, 2)
    assert found.outlook.wall_s == pytest.approx((BLOCK_S, 1.5 * BLOCK_S))


def test_nothing_is_to_be_taken_once_it_is_decided(tmp_path: Path) -> None:
    found = deciding(0.0, 0.004, tmp_path)
    assert found.is_decided
    assert (found.outlook, found.prospect, found.goes_on) == (None, None, False)


def test_what_came_after_the_look_moves_no_estimate_of_the_difference(tmp_path: Path) -> None:
    """Its variances count; a mean that nobody declared to look at does not."""
    study = taking_looks(deciding_study(0.2, 0.008), tmp_path, most=1)
    before = summarise(tmp_path).deciding

    def shifted(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        validation, test = study.accuracy(method, tau, setting, seed)
        return validation, test + (0.02 if method == "mkd" and seed >= 4 else 0.0)

    more = tuple(count + 3 for count in study.counts)
    later = replace(study, seed_counts=more)
    plain = summarise(later.write(tmp_path)).deciding
    moved = summarise(replace(later, accuracy=shifted).write(tmp_path)).deciding
    for found in (before, plain, moved):
        assert found is not None
        assert found.outlook is not None
    # All sit on the look's own mean: a jump of 2 points would settle it at once.
    assert moved.outlook.probability[1][0] < 0.9


def test_no_margin_is_below_one_test_sample(tmp_path: Path) -> None:
    found = deciding(0.2, 0.008, tmp_path, most=1, margin_pp=0.06)
    assert found.outlook is not None
    assert found.outlook.margins_pp == pytest.approx((0.06, 0.09, 0.12))

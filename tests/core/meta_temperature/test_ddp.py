"""Two ranks on gloo: the same temperatures on both, and those of one process with all the data."""

from pathlib import Path
from typing import Any

import pytest
from ranks import run_ranks

LOOP = Path(__file__).parent / "ddp_loop.py"
SETTINGS = (
    "alignment",
    "gradient",
    "two steps",
    "per sample",
    "two steps of a free scale",
    "alignment on a quarter",
)


@pytest.fixture(scope="module")
def learned(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ddp")
    return run_ranks(LOOP, 2, folder), run_ranks(LOOP, 1, folder)[0]


@pytest.mark.parametrize("name", SETTINGS)
def test_all_ranks_have_learned_the_same_to_the_bit(learned: Any, name: str) -> None:
    (first, second), _ = learned
    assert first[name]["phi"] == second[name]["phi"]
    assert first[name]["taus"] != [4.0, 4.0]


@pytest.mark.parametrize("name", SETTINGS)
def test_two_ranks_learn_what_one_process_learns_from_the_whole_batch(
    learned: Any, name: str
) -> None:
    (first, _), alone = learned
    mine, other = ([float.fromhex(x) for x in run[name]["phi"]] for run in (first, alone))
    assert mine == pytest.approx(other, rel=1e-9, abs=1e-9)

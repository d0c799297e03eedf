"""A trial on two ranks, each with half of every batch, is the trial on one: BatchNorm and all."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from ranks import run_ranks
from torch import nn

from metakd.core.batch_norm import BatchNormError, share_batch_norm
from metakd.core.distillers import CONFIGS

TEMPERED = ("mkd", "mkd two steps", "mkd held out", "ctkd", "ctkd dkd", "mmkd both")
WEIGHED = ("mmkd", "mmkd both", "mmkd three steps")
TOLERANCES = {
    **dict.fromkeys(("kd", "kd_std", "mean_losses"), 1e-9),
    # Adam's first steps are as long for a rounding error as for a slope.
    **dict.fromkeys(WEIGHED, 1e-7),
    # The student is float64; learned temperatures, or a search for them, are float32.
    **dict.fromkeys(TEMPERED, 1e-5),
}
RANK = Path(__file__).parent / "training_rank.py"
CASES = [
    f"{student}, {distiller}" for student in ("plain", "normalised") for distiller in TOLERANCES
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any]:
    folder = tmp_path_factory.mktemp("ddp")
    return *run_ranks(RANK, 2, folder), *run_ranks(RANK, 1, folder)


def flat(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in flat(value[key])]
    if isinstance(value, list):
        return [number for item in value for number in flat(item)]
    return [] if value is None or isinstance(value, str) else [float(value)]


@pytest.mark.parametrize("case", CASES)
def test_after_twenty_steps_two_ranks_stand_where_one_stands(
    runs: tuple[Any, Any, Any], case: str
) -> None:
    first, second, alone = (run[case] for run in runs)
    distiller = case.partition(", ")[2]
    assert flat(first) == flat(second)
    tolerance = TOLERANCES[distiller]
    for part in ("records", "state", "evaluation"):
        found, expected = flat(first[part]), flat(alone[part])
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance), part
    last = alone["records"][-1]
    assert (last["temperatures"] != [4.0, 4.0]) == (distiller in TEMPERED)
    weights = [each["weights"] for each in last["teacher_weights"]]
    assert bool(weights) == (distiller in WEIGHED)
    assert all(max(each) - min(each) > 0.01 for each in weights)


def test_every_distiller_is_equal_on_all_ranks_and_one_that_learns_alone_is_not(
    runs: tuple[Any, Any, Any],
) -> None:
    for rank in runs[:2]:
        complaints = dict(rank["complaints"])
        assert complaints.pop("alone") == "ranks: after a training, ranks [1] differ from rank 0"
        assert set(complaints) - {"mmkd three steps"} == set(CONFIGS)
        assert not any(complaints.values()), complaints


def test_statistics_of_an_unknown_batch_norm_are_not_left_to_single_ranks() -> None:
    class Own(nn.BatchNorm2d):
        pass

    with pytest.raises(BatchNormError, match=r"1 is a Own, .* one worker"):
        share_batch_norm(nn.Sequential(nn.Conv2d(1, 2, 3), Own(2)), object())  # type: ignore[arg-type]


def test_in_evaluation_shared_batch_norm_is_batch_norm(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        inputs = torch.randn(4, 1, 5, 5)
        names = list(model.state_dict())
        training = model(inputs)
        model[1].reset_running_stats()
        group = dist.group.WORLD
        assert group is not None
        shared = share_batch_norm(model, group)
        torch.testing.assert_close(shared(inputs), training)
        shared.eval()
        expected = nn.functional.batch_norm(
            model[0](inputs), model[1].running_mean, model[1].running_var
        )
        torch.testing.assert_close(shared(inputs), expected)
        assert list(shared.state_dict()) == names
    finally:
        dist.destroy_process_group()

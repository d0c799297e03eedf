"""Every way to take a step takes the same one: only then do their times compare."""

from collections.abc import Iterator

import pytest
import torch
from benchmarks import cpu_step
from one_thread import one_thread as one_thread

CASE = cpu_step.CASES["digit_cnn_small"]
STEPS = 3


@pytest.fixture(autouse=True, scope="module")
def in_float64() -> Iterator[None]:
    # In float32 layouts differ by rounding, which three steps with BatchNorm make large.
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def moved(step: cpu_step.Step, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    for _ in range(STEPS):
        step()
    return [parameter.detach().clone() for parameter in parameters]


@pytest.fixture(scope="module")
def ours(in_float64: None) -> list[torch.Tensor]:
    student = CASE.student()
    return moved(cpu_step.plain(CASE, student), list(student.parameters()))


@pytest.mark.parametrize("way", ["contiguous", "foreach", "bare"])
def test_a_way_of_one_student_moves_it_as_metakd_does(way: str, ours: list[torch.Tensor]) -> None:
    student = CASE.student()
    step = {
        "contiguous": lambda: cpu_step.plain(CASE, student, layout=torch.contiguous_format),
        "foreach": lambda: cpu_step.plain(CASE, student, cpu_step.foreach_sgd),
        "bare": lambda: cpu_step.bare(CASE, student),
    }[way]()
    torch.testing.assert_close(moved(step, list(student.parameters())), ours, rtol=1e-9, atol=1e-9)


def test_stacked_students_move_as_they_do_alone(ours: list[torch.Tensor]) -> None:
    step, stacked = cpu_step.stacked(CASE, [CASE.student(0), CASE.student(1)])
    found = moved(step, list(stacked.values()))
    torch.testing.assert_close([each[0] for each in found], ours, rtol=1e-9, atol=1e-9)
    assert not torch.equal(found[0][0], found[0][1])


def test_every_way_is_measured_in_every_round_and_has_a_row() -> None:
    ways = cpu_step.ways_of(CASE, with_compiler=False)
    cpu_step.measure(ways, rounds=2, seconds=0.01)
    assert all(len(way.ms) == len(way.ratios) == 2 for way in ways.values())
    rows = cpu_step.rows_of(CASE, ways)
    assert [row.what for row in rows] == [f"digit_cnn_small, batch 32: {name}" for name in ways]
    assert rows[0].ratio == 1
    assert all(row.value > 0 and row.ratio > 0 for row in rows)
    assert all(name in cpu_step.table(CASE, ways) for name in ways)

"""What trials and teachers are given: it always fits, and what cannot fit is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.study.allotment import Node, allot, allot_teachers, at_once, begun_at_once
from metakd.study.options import ResourceError, Wanted
from metakd.train.resources import Resources

LAPTOP, GPU_BOX = Node(2, 0), Node(32, 4)
nodes = st.lists(st.builds(Node, st.integers(0, 64), st.integers(0, 8)), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("wanted", "machines", "each", "fits"),
    [
        (Wanted(), [LAPTOP], Resources(1, 1, 0), 2),
        (Wanted(workers=2), [LAPTOP], Resources(2, 1, 0), 1),
        (Wanted(cpus=2), [LAPTOP], Resources(1, 2, 0), 1),
        (Wanted(cpus=0.5), [LAPTOP], Resources(1, 0.5, 0), 4),
        # Each GPU comes with its part of the machine's CPUs.
        (Wanted(), [GPU_BOX], Resources(1, 8, 1), 4),
        (Wanted(gpus=0.25), [GPU_BOX], Resources(1, 2, 0.25), 16),
        (Wanted(gpus=0), [GPU_BOX], Resources(1, 1, 0), 32),
        (Wanted(workers=4), [GPU_BOX], Resources(4, 8, 1), 1),
        (Wanted(workers=8), [GPU_BOX, GPU_BOX], Resources(8, 8, 1), 1),
        (Wanted(workers=2, gpus=4), [GPU_BOX], Resources(2, 16, 2), 1),
        # A machine without GPUs takes no trials where they need one.
        (Wanted(), [LAPTOP, GPU_BOX], Resources(1, 8, 1), 4),
        (Wanted(max_concurrent=3), [GPU_BOX], Resources(1, 8, 1), 3),
        (Wanted(max_concurrent=9), [GPU_BOX], Resources(1, 8, 1), 4),
        # Three tenths of two GPUs: three on each, not six and a rest of both.
        (Wanted(gpus=0.3, cpus=1), [Node(16, 2)], Resources(1, 1, 0.3), 6),
    ],
)
def test_a_trial_gets_its_part_of_the_cluster(
    wanted: Wanted, machines: list[Node], each: Resources, fits: int
) -> None:
    found = allot(wanted, machines)
    assert (found.each, found.at_once) == (each, fits)


def test_the_plan_says_it_in_words() -> None:
    assert str(allot(Wanted(), [LAPTOP])) == "2 at once, each 1 worker with 1 CPU"
    words = "2 at once, each 2 workers with 8 CPU and 1 GPU"
    assert str(allot(Wanted(workers=2), [GPU_BOX])) == words


@given(
    nodes,
    st.integers(1, 8),
    st.sampled_from([None, 0.5, 1.0, 2.0, 4.0]),
    st.sampled_from([None, 0.0, 1.0, 2.0]),
    st.sampled_from([None, 1, 3]),
)
def test_what_runs_at_once_always_fits(
    machines: list[Node], workers: int, cpus: float | None, gpus: float | None, limit: int | None
) -> None:
    wanted = Wanted(
        workers,
        None if cpus is None else cpus * workers,
        None if gpus is None else gpus * workers,
        limit,
    )
    try:
        found = allot(wanted, machines)
    except ResourceError:
        return
    each = found.each
    assert 1 <= found.at_once <= (limit or found.at_once)
    # Placed one by one, wherever there is room.
    free = [[float(node.cpus), float(node.gpus)] for node in machines]
    for _ in range(found.at_once * each.workers):
        room = [f for f in free if f[0] >= each.cpus - 1e-9 and f[1] >= each.gpus - 1e-9]
        assert room, (found, machines)
        room[0][0] -= each.cpus
        room[0][1] -= each.gpus


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(workers=4), "4 workers × 1 CPU and 0 GPU, but the cluster has 2 CPUs and 0 GPUs"),
        (Wanted(gpus=1), "1 CPU and 1 GPU, but the cluster has 2 CPUs and 0 GPUs"),
        (Wanted(cpus=3), "3 CPU and 0 GPU, but"),
    ],
)
def test_a_trial_that_does_not_fit_is_refused(wanted: Wanted, words: str) -> None:
    with pytest.raises(ResourceError, match=words):
        allot(wanted, [LAPTOP])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workers": 0}, "workers-per-trial must be at least 1"),
        ({"max_concurrent": 0}, "max-concurrent must be at least 1"),
        ({"cpus": 0.0}, "cpus-per-trial must give"),
        ({"cpus": 1.5}, "cpus-per-trial must give"),
        ({"workers": 2, "cpus": 3.0}, "cpus-per-trial must give each of 2 workers"),
        ({"gpus": -1.0}, "gpus-per-trial must give"),
        ({"gpus": 1.5}, "gpus-per-trial must give"),
        ({"workers": 2, "gpus": 1.0}, "2 workers need a GPU each .*: give 2, or 0"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ResourceError, match=words):
        Wanted(**values)  # type: ignore[arg-type]


def test_nodes_that_come_and_go_change_how_many_run() -> None:
    each = Resources(2, 1, 0)
    assert at_once(each, [LAPTOP]) == 1
    assert at_once(each, [LAPTOP, LAPTOP, Node(3, 0)]) == 3
    assert at_once(each, [LAPTOP, LAPTOP], at_most=1) == 1
    # With room for none, one waits.
    assert at_once(each, [Node(0, 0)]) == 1


def test_tune_is_given_the_trials_that_come_next_unless_they_would_run_too() -> None:
    one, two = Resources(1, 1), Resources(2, 1)
    assert begun_at_once(one, [LAPTOP]) == 2 * at_once(one, [LAPTOP])
    assert begun_at_once(one, [LAPTOP], at_most=1) == 1
    # Beyond what fits the limit limits nothing.
    assert begun_at_once(one, [LAPTOP], at_most=99) == 2 * at_once(one, [LAPTOP])
    # Ray Train's workers are not placed by Tune: a second driver would start its own beside them.
    assert begun_at_once(two, [LAPTOP]) == at_once(two, [LAPTOP])


@pytest.mark.parametrize(
    ("machines", "teachers", "each", "side_by_side"),
    [
        ([LAPTOP], 1, Resources(1, 2, 0), 1),
        ([LAPTOP], 2, Resources(1, 1, 0), 2),
        ([LAPTOP], 3, Resources(1, 1, 0), 2),
        ([LAPTOP, LAPTOP], 1, Resources(2, 2, 0), 1),
        ([LAPTOP, LAPTOP, LAPTOP], 1, Resources(2, 2, 0), 1),  # 3 do not share 64 evenly
        ([GPU_BOX], 1, Resources(4, 8, 1), 1),
        ([GPU_BOX], 2, Resources(2, 8, 1), 2),
        ([GPU_BOX, GPU_BOX], 3, Resources(2, 8, 1), 3),
    ],
)
def test_teachers_get_the_whole_cluster(
    machines: list[Node], teachers: int, each: Resources, side_by_side: int
) -> None:
    found = allot_teachers(machines, teachers, batch_size=64)
    assert (found.each, found.at_once) == (each, side_by_side)

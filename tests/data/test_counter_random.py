import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metakd.data.counter_random import derive_seed, random_bits, uniform


def splitmix64(x: int) -> int:
    """One step of the reference generator, in Python's unbounded integers."""
    mask = 2**64 - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 2**63 - 1), max_size=3))
@settings(deadline=None)
def test_bits_are_splitmix64_of_each_counter_in_turn(seed: int, counters: list[int]) -> None:
    expected = splitmix64(seed)
    for counter in counters:
        expected = splitmix64(expected ^ counter)
    assert int(random_bits(seed, *counters)) % 2**64 == expected


def test_first_output_of_the_published_generator() -> None:
    # The first output of SplitMix64 seeded with 0, as Java's SplittableRandom gives it.
    assert int(random_bits(0)) % 2**64 == 0xE220A8397B1DCDAF


@given(st.integers(0, 2**62), st.permutations(range(20)), st.integers(1, 20))
@settings(deadline=None)
def test_a_number_depends_on_its_counters_alone(seed: int, order: list[int], chunk: int) -> None:
    samples = torch.arange(20) * 7919
    together = uniform(seed, samples, 3)
    shuffled = torch.cat(
        [uniform(seed, samples[rows], 3) for rows in torch.tensor(order).split(chunk)]
    )
    assert torch.equal(shuffled, together[order])


def test_counters_broadcast() -> None:
    grid = uniform(1, torch.arange(5)[:, None], torch.arange(3))
    assert grid.shape == (5, 3)
    assert grid[4, 2] == uniform(1, 4, 2)
    assert grid[2, 1] != uniform(1, 1, 2)


@pytest.mark.parametrize("axis", [0, 1])
def test_numbers_are_uniform_along_each_counter(axis: int) -> None:
    counters = [torch.tensor(3), torch.tensor(5)]
    counters[axis] = torch.arange(100_000)
    numbers = uniform(0, *counters)
    assert numbers.dtype == torch.float32
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers.numpy(), "uniform").pvalue > 1e-3


def test_neighbouring_counters_and_seeds_are_uncorrelated() -> None:
    samples = torch.arange(100_000)
    base = uniform(0, samples, 0).numpy()
    for neighbour in (uniform(0, samples + 1, 0), uniform(0, samples, 1), uniform(1, samples, 0)):
        # The correlation of independent pairs has a standard deviation of 1/√100000 ≈ 0.003.
        assert abs(np.corrcoef(base, neighbour.numpy())[0, 1]) < 0.015


def test_seeds_are_derived_by_name_and_stay_what_they_are() -> None:
    assert derive_seed(0, "init") == derive_seed(0, "init")
    seeds = {derive_seed(seed, purpose) for seed in range(50) for purpose in ("init", "order")}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(0, "order") == 5231958647509549229

"""Random numbers that are a function of their counters alone.

A number is the hash of (seed, counter, counter, ...), for example (seed, sample, view). It does not
depend on what was drawn before, so any process, in any order and any batching, gets the same one.
The hash is the finaliser of SplitMix64 (Steele, Lea & Flood 2014, doi 10.1145/2660193.2660195),
applied once for each counter.
"""

import hashlib

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MULTIPLIER_1 = 0xBF58476D1CE4E5B9 - 2**64
_MULTIPLIER_2 = 0x94D049BB133111EB - 2**64


def derive_seed(seed: int, purpose: str) -> int:
    """Returns the seed of one purpose ("init", "order", ...), in [0, 2⁶³), stable for ever."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def random_bits(seed: int, *counters: Tensor | int) -> Tensor:
    """Returns 64 random bits for each combination of counters, as int64.

    Args:
        seed: Any int64.
        counters: int64 tensors that broadcast, or plain ints.
    """
    state = _finalise(torch.tensor(seed, dtype=torch.int64))
    for counter in counters:
        state = _finalise(state ^ counter)
    return state


def uniform(seed: int, *counters: Tensor | int) -> Tensor:
    """Returns float32 numbers in [0, 1), on a grid of 2⁻²⁴; arguments as in ``random_bits``."""
    return unit_interval(random_bits(seed, *counters))


def unit_interval(bits: Tensor) -> Tensor:
    """Maps 64 random bits to float32 in [0, 1) by their upper 24, which float32 holds exactly."""
    return _shift_right(bits, 40).to(torch.float32) * 2.0**-24


def _finalise(x: Tensor) -> Tensor:
    x = x + _GOLDEN
    x = (x ^ _shift_right(x, 30)) * _MULTIPLIER_1
    x = (x ^ _shift_right(x, 27)) * _MULTIPLIER_2
    return x ^ _shift_right(x, 31)


def _shift_right(x: Tensor, places: int) -> Tensor:
    # int64 shifts copy the sign bit in; the mask takes the copies out.
    return (x >> places) & ((1 << (64 - places)) - 1)

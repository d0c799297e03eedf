"""How seeds are numbered: settings that are not compared with each other have streams of their own.

A trial's seed is the start of its stream plus its number in it, so that the seeds 0, 1, ... of two
streams share no randomness: neither subset, nor initial weights, nor batches, nor views. Stores of
before have one stream, which starts at 0.
"""

import hashlib
from collections.abc import Collection, Hashable, Sequence
from typing import Literal

SeedStreams = Literal["own", "shared"]
STREAM_LENGTH = 100_000
STREAMS = 20_000
"""The last seed of the last stream is an int32, as the store keeps it."""


def seed_number(seed: int) -> int:
    """Returns the number of a seed in its stream, from 0 on."""
    return seed % STREAM_LENGTH


def stream_key(
    within: Collection[str], streams: SeedStreams, dataset: str, scale: float, augmentation: str
) -> tuple[Hashable, ...]:
    """Returns what settings that share their seeds have in common.

    Teachers and students always share them: a run without a teacher stands beside every teacher,
    and students see the same views. So do the levels that a question compares within a seed.

    Args:
        within: Factors whose levels the study's question compares so.
        streams: "shared" where all settings share them.
        dataset: Of the setting.
        scale: Of the setting.
        augmentation: Of the setting.
    """
    if streams == "shared":
        return ()
    factors = {"dataset": dataset, "scale": scale, "augmentation": augmentation}
    return tuple(value for name, value in factors.items() if name not in within)


def stream_groups(keys: Sequence[tuple[Hashable, ...]]) -> tuple[int, ...]:
    """Returns the number of each setting's stream, from 0 on in the order of their first settings.

    A plan's costs and an analysis's groups are both in this order.
    """
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return tuple(numbers[key] for key in keys)


def stream_starts(keys: Sequence[tuple[Hashable, ...]]) -> dict[tuple[Hashable, ...], int]:
    """Returns the first seed of each stream; () starts at 0.

    A start follows from its key, so that another setting changes no trial; of two keys that fall on
    one start the later one takes the next that is free.
    """
    starts: dict[tuple[Hashable, ...], int] = {}
    taken: set[int] = set()
    for key in dict.fromkeys(keys):
        place = 0
        if key:
            digest = hashlib.sha256(repr(key).encode()).digest()
            place = int.from_bytes(digest[:8], "big") % STREAMS
            while place in taken:
                place = (place + 1) % STREAMS
        taken.add(place)
        starts[key] = STREAM_LENGTH * place
    return starts

"""Pictures of different sizes: which size they have, which one to take, and what it costs.

Only what is known anyway goes in: nothing is decoded or timed for it.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

SIDES = (32, 64, 128, 224)
"""The proposed sides of images, in pixels: powers of two, and what ImageNet's models take."""

SHARES = {3: "a third", 4: "a quarter", 12: "a twelfth", 49: "a fiftieth"}
"""Cost of a smaller side of ``SIDES`` in words, by the rounded ratio of the pixels."""

BYTES_IN_WORDS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


class PictureSizes(NamedTuple):
    """The sizes of a set of pictures.

    Attributes:
        smallest: Height and width of the picture with the fewest pixels.
        largest: Height and width of the one with the most.
        side: The median of their shorter sides.
    """

    smallest: tuple[int, int]
    largest: tuple[int, int]
    side: float

    @property
    def proposed(self) -> int:
        """The side of ``SIDES`` that is nearest to the median, in proportion."""
        return min(SIDES, key=lambda side: max(side / self.side, self.side / side))

    def in_words(self) -> str:
        """Returns "sizes from 31×48 to 480×640 (height × width)", or the one that all have."""
        largest = f"{_by(self.largest)} (height × width)"
        if self.smallest == self.largest:
            return f"the size {largest}"
        return f"sizes from {_by(self.smallest)} to {largest}"


def sizes_of(shapes: Sequence[tuple[int, int]]) -> PictureSizes:
    """Returns the sizes of pictures.

    Args:
        shapes: Height and width of each; one or more.
    """
    by_area = sorted(shapes, key=lambda shape: (shape[0] * shape[1], shape))
    return PictureSizes(by_area[0], by_area[-1], max(1, median(map(min, shapes))))


def proposal(sizes: PictureSizes, samples: int, channels: int) -> str:
    """Returns which size to give, what it takes in memory, and what another one would cost.

    Args:
        sizes: Of the pictures.
        samples: How many there are.
        channels: Of the decoded images, 1 or 3.
    """
    side = sizes.proposed
    stored = _in_words(samples * channels * side**2)
    if side == SIDES[0]:
        other = f"size={SIDES[1]} costs four times as much a step with the same models"
    else:
        smaller = SIDES[SIDES.index(side) - 1]
        other = f"size={smaller} costs {share(smaller, side)} of it a step with the same models"
    return f"add ,size={side} (squares of their centres, {stored} decoded); {other}"


def default_size_in_words(sizes: PictureSizes, side: int) -> list[str]:
    """Returns one sentence about pictures for which a smaller side than this one does, or none.

    Args:
        sizes: Of the pictures.
        side: What they are resized to where no size is given, one of ``SIDES``.
    """
    if sizes.proposed >= side:
        return []
    return [
        f"pictures have {sizes.in_words()} and become {side}×{side}: with ,size={sizes.proposed} a "
        f"step costs {share(sizes.proposed, side)} of it with the same models"
    ]


def share(side: int, of: int) -> str:
    """Returns in words what a training step costs at a side of ``SIDES``, compared with a larger.

    The cost of convolutions, and of transformers of one patch size, follows the number of pixels.
    """
    return f"about {SHARES[round((of / side) ** 2)]}"


def _by(shape: tuple[int, int]) -> str:
    return f"{shape[0]}×{shape[1]}"


def _in_words(count: int) -> str:
    unit, name = next(each for each in BYTES_IN_WORDS if count >= each[0] or each[0] == 2**10)
    return f"{count / unit:.1f} {name}"

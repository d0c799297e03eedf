"""From what Pillow decodes to bytes: upright, without transparency, of 8 bits.

Images of more than 8 bits, whole or float, are scaled by the range of the whole set: each by its
own would make a dark picture as bright as a bright one.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

Pixels = NDArray[Any]

UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises about bytes that are no image, or a damaged one."""

WIDE_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's grey modes of more than 8 bits."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets a picture of this EXIF orientation upright, as in Pillow's ``exif_transpose``."""


class ValueRange(NamedTuple):
    """The lowest and the highest value in images of more than 8 bits, and whether all are whole."""

    low: float
    high: float
    whole: bool

    @property
    def is_of_bytes(self) -> bool:
        """Whether these are bytes already, kept in a wider type."""
        return self.whole and self.low >= 0 and 1 < self.high <= 255


def pixels_of(image: Image.Image) -> tuple[Pixels, bool]:
    """Returns the pixels of an image, and whether one could see through it.

    Returns:
        (H, W) uint8 of a grey one, (H, W, 3) uint8 of another, (H, W) of a wider type of one that
        has more than 8 bits.

    Raises:
        ValueError: If values are not finite, or there is no way from its colours to RGB.
    """
    image = upright(image)
    if image.mode in WIDE_MODES:
        wide = np.asarray(image)
        if not np.isfinite(wide).all():
            raise ValueError("it has values that are not finite")
        return wide.astype(wide.dtype.newbyteorder("=")), False
    grey = image.mode in ("1", "L")
    opaque = _over_white(image)
    return np.asarray(opaque.convert("L" if grey else "RGB")), opaque is not image


def rgb_of(image: Image.Image, values: ValueRange | None) -> Image.Image:
    """Returns an image upright and in RGB.

    Args:
        image: Any.
        values: Of the images of more than 8 bits in its set.

    Raises:
        ValueError: If it cannot be converted.
    """
    if image.mode not in WIDE_MODES:
        return _over_white(upright(image)).convert("RGB")
    if values is None:
        raise ValueError(f"it has more than 8 bits ({image.mode}), which it had not before")
    return Image.fromarray(eight_bits(pixels_of(image)[0], values)).convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """Returns an image turned as its EXIF orientation says; one that makes no sense says nothing.

    Pillow's own function also writes the other tags anew, and fails on damaged ones.
    """
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def is_redrawn(image: Image.Image) -> bool:
    """Returns whether an image is turned, or lies on white where it is transparent."""
    return _turn(image) is not None or _shines_through(image)


def range_of(pictures: Iterable[Pixels]) -> ValueRange | None:
    """Returns the range of the pictures of more than 8 bits; None where there are none."""
    ranges = [
        ValueRange(float(p.min()), float(p.max()), bool(p.dtype.kind != "f" or (p % 1 == 0).all()))
        for p in pictures
        if p.dtype != np.uint8
    ]
    return joint_range(ranges)


def joint_range(ranges: Iterable[ValueRange]) -> ValueRange | None:
    """Returns the range that spans all of these; None where there are none."""
    known = list(ranges)
    if not known:
        return None
    low, high = min(each.low for each in known), max(each.high for each in known)
    return ValueRange(low, high, all(each.whole for each in known))


def eight_bits(pixels: Pixels, values: ValueRange | None) -> NDArray[np.uint8]:
    """Returns pixels as bytes: the lowest value of the set becomes 0, the highest 255.

    Args:
        pixels: Bytes stay as they are.
        values: Of the set; may be None where all are bytes.
    """
    if pixels.dtype == np.uint8 or values is None:
        return pixels.astype(np.uint8, copy=False)
    if values.is_of_bytes:
        return pixels.astype(np.uint8)
    span = (values.high - values.low) or 1.0
    return np.rint((pixels.astype(np.float64) - values.low) * (255 / span)).astype(np.uint8)


def squared(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Returns the centre square of an image, as where it is resized (bicubic), then cropped.

    Args:
        pixels: (H, W) or (H, W, 3).
        side: Of the square that comes out, in pixels.
    """
    if pixels.shape[:2] == (side, side):
        return pixels
    image = Image.fromarray(pixels)
    return np.asarray(ImageOps.fit(image, (side, side), Image.Resampling.BICUBIC))


def range_in_words(count: int, values: ValueRange | None) -> list[str]:
    """Returns one sentence about images that were scaled, or none.

    Args:
        count: How many images have more than 8 bits.
        values: Their range.
    """
    if values is None or values.is_of_bytes:
        return []
    return [
        f"{count:,} images have more than 8 bits: {values.low:g} to {values.high:g}, the range of "
        "the set, became 0 to 255"
    ]


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except UNREADABLE:
        return None


def _over_white(image: Image.Image) -> Image.Image:
    """Returns an image with white behind it; the same one where nothing shines through."""
    if not _shines_through(image):
        return image
    seen = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")


def _shines_through(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    least, _ = image.convert("RGBA").getchannel("A").getextrema()
    return least != 255

"""What is done to the pixels of images: geometry, then photometry."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Affine(NamedTuple):
    """For each of B images, where an output pixel (x, y) looks in the input.

    It looks at (xx·x + xy·y + x0, yx·x + yy·y + y0), in pixels from the centre of the image.
    """

    xx: Tensor
    xy: Tensor
    yx: Tensor
    yy: Tensor
    x0: Tensor
    y0: Tensor

    def after(self, first: "Affine") -> "Affine":
        """Returns the map that applies ``first`` to an output pixel, then this one."""
        return Affine(
            self.xx * first.xx + self.xy * first.yx,
            self.xx * first.xy + self.xy * first.yy,
            self.yx * first.xx + self.yy * first.yx,
            self.yx * first.xy + self.yy * first.yy,
            self.xx * first.x0 + self.xy * first.y0 + self.x0,
            self.yx * first.x0 + self.yy * first.y0 + self.y0,
        )


def rotation(tan_half_angle: Tensor) -> Affine:
    """Rotates by the angle with this half-angle tangent, (B,): no sine has to be rounded."""
    t = tan_half_angle
    norm = 1 + t * t
    cosine, sine, zero = (1 - t * t) / norm, 2 * t / norm, torch.zeros_like(t)
    return Affine(cosine, -sine, sine, cosine, zero, zero)


def shear(along_x: Tensor, along_y: Tensor) -> Affine:
    """Shears along both axes, each (B,)."""
    one, zero = torch.ones_like(along_x), torch.zeros_like(along_x)
    return Affine(one, along_x, along_y, one, zero, zero)


def scaling(x: Tensor, y: Tensor) -> Affine:
    """Looks x and y times as far from the centre, each (B,); −1 mirrors."""
    zero = torch.zeros_like(x)
    return Affine(x, zero, zero, y, zero, zero)


def translation(x: Tensor, y: Tensor) -> Affine:
    """Looks x and y pixels further, each (B,)."""
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return Affine(one, zero, zero, one, x, y)


def warp(images: Tensor, affine: Affine) -> Tensor:
    """Looks up every output pixel bilinearly; outside of the image it is black.

    Args:
        images: (B, C, H, W) float.
        affine: Where to look.
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = (torch.arange(height, device=images.device) - (height - 1) / 2)[:, None]
    xx, xy, yx, yy, x0, y0 = (entry[:, None, None] for entry in affine)
    # grid_sample counts from −1 to 1 between the outer edges of the image.
    at_x = (xx * x + xy * y + x0) * (2 / width)
    at_y = (yx * x + yy * y + y0) * (2 / height)
    return F.grid_sample(images, torch.stack([at_x, at_y], dim=-1), align_corners=False)


LARGEST_CHANGE = 0.9
"""Brightness, contrast, colour and sharpness go from 0.1 to 1.9 times what they were."""


def brightness(images: Tensor, strength: Tensor) -> Tensor:
    """Brightens or darkens."""
    return _away_from(torch.zeros_like(images), images, strength)


def contrast(images: Tensor, strength: Tensor) -> Tensor:
    """Moves pixels away from the mean grey of their image, or towards it."""
    grey = _grey(images)
    total = grey.round().to(torch.int64).sum(dim=(1, 2, 3), keepdim=True)
    return _away_from(total / grey[0].numel(), images, strength)


def colour(images: Tensor, strength: Tensor) -> Tensor:
    """Makes colours stronger or greyer."""
    return _away_from(_grey(images), images, strength)


def sharpness(images: Tensor, strength: Tensor) -> Tensor:
    """Moves pixels away from the mean of their 3×3 neighbourhood, or towards it."""
    height, width = images.shape[-2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    neighbours = [
        padded[..., row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]
    return _away_from(sum(neighbours, torch.zeros_like(images)) / 9, images, strength)


def posterize(images: Tensor, strength: Tensor) -> Tensor:
    """Keeps the upper 4 to 7 of a pixel's 8 bits, fewer the larger the strength's magnitude."""
    step: Tensor = 2 ** (1 + (strength.abs() * 3).round().to(torch.int64))[:, None, None, None]
    return (images / step).floor() * step


def solarize(images: Tensor, strength: Tensor) -> Tensor:
    """Inverts pixels above a threshold that falls from 256 to 128 with the strength's magnitude."""
    threshold = (256 - 128 * strength.abs())[:, None, None, None]
    return torch.where(images >= threshold, 255 - images, images)


def equalize(images: Tensor, strength: Tensor) -> Tensor:
    """Spreads each channel's levels so that all are about equally frequent; has no strength."""
    levels = images.round().to(torch.int64).flatten(2)
    counts = torch.zeros(*levels.shape[:2], 256, dtype=torch.int64, device=images.device)
    ranks = counts.scatter_add_(2, levels, torch.ones_like(levels)).cumsum(2)
    lowest = ranks.gather(2, levels.amin(dim=2, keepdim=True))
    above_lowest = levels.shape[2] - lowest
    spread = (ranks.gather(2, levels) - lowest) * 255 / above_lowest.clamp(min=1)
    return torch.where(above_lowest > 0, spread, levels).view_as(images)


def _grey(images: Tensor) -> Tensor:
    # Weights of the eye (ITU-R BT.601) where there are three colours.
    if images.shape[1] != 3:
        return images[:, :1]
    red, green, blue = images.split(1, dim=1)
    grey: Tensor = 0.299 * red + 0.587 * green + 0.114 * blue
    return grey


def _away_from(base: Tensor, images: Tensor, strength: Tensor) -> Tensor:
    factor = (1 + LARGEST_CHANGE * strength)[:, None, None, None]
    return (base + factor * (images - base)).clamp(0, 255)

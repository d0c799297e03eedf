"""Changes of grey and colour, each image by its own strength.

All map float images (B, C, H, W) with pixels in [0, 255] and strengths (B,) in [−1, 1] to float
images in [0, 255]; at strength 0 the first four change nothing. Sums over an image are taken of
integers, which no order of summation rounds.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

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

"""Affine warps, one for each image of a batch.

Only elementwise arithmetic and per-image kernels: a matrix product, a sine or a floating-point sum
may round differently in batches of another size.
"""

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

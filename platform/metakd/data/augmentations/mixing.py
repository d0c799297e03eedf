"""Views mixed in pairs: mixup (Zhang et al. 2018, arXiv 1710.09412) and CutMix (Yun et al. 2019).

A view's partner, their shares and the box are drawn from the view's own counters, so a mixed view
can be made again by anybody, like any other, and a teacher's logits for it can be kept.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.data.augmentations.draws import Draws
from metakd.data.catalogue import Mixing

QUANTILES = 4096


class Mix(NamedTuple):
    """How each of B views is mixed.

    Attributes:
        partners: Row of the sample that is mixed in, (B,) int64.
        shares: Share of the view itself in pixels and label, (B,) float32 in [0, 1].
        cuts: Whether the partner covers a box of the view, or shows through all of it, (B,) bool.
        boxes: Top, bottom, left and right of that box, (B, 4) int64.
    """

    partners: Tensor
    shares: Tensor
    cuts: Tensor
    boxes: Tensor

    def of(self, rows: Tensor) -> "Mix":
        """Returns the mix of some of the views."""
        return Mix(*(values[rows] for values in self))


def draw_mix(mixing: Mixing, draws: Draws, rows: int, image_side: tuple[int, int]) -> Mix:
    """Draws how views are mixed.

    Args:
        mixing: From what.
        draws: The views' random numbers.
        rows: How many samples a partner is drawn from, each as likely.
        image_side: Height and width in pixels.
    """
    partners = draws.integer("partner", 0, rows - 1)
    quantile = draws.integer("share", 0, QUANTILES - 1)
    boxes = _boxes(_beta(mixing.cutmix_alpha or 1.0, quantile), draws, *image_side)
    top, bottom, left, right = boxes.unbind(1)
    uncovered = 1 - (bottom - top) * (right - left) / (image_side[0] * image_side[1])
    blended = _beta(mixing.mixup_alpha or 1.0, quantile)
    cuts = draws.coin("cut", mixing.cut_probability)
    return Mix(partners, torch.where(cuts, uncovered, blended), cuts, boxes)


def mix_views(own: Tensor, other: Tensor, mix: Mix) -> Tensor:
    """Mixes views with those of their partners.

    Args:
        own: (B, C, H, W) uint8.
        other: The partners' views, of the same shape.
        mix: How.

    Returns:
        (B, C, H, W) uint8.
    """
    height, width = own.shape[-2:]
    y = torch.arange(height, device=own.device)[:, None]
    x = torch.arange(width, device=own.device)
    top, bottom, left, right = (edge[:, None, None] for edge in mix.boxes.unbind(1))
    inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    share = mix.shares[:, None, None, None]
    blended = (share * own.float() + (1 - share) * other.float()).round().to(torch.uint8)
    cut = torch.where(inside[:, None], other, own)
    return torch.where(mix.cuts[:, None, None, None], cut, blended)


def mix_labels(labels: Tensor, other: Tensor, mix: Mix, num_classes: int) -> Tensor:
    """Returns the classes' shares, (B, K) float32.

    Args:
        labels: Classes of the views, (B,) int64.
        other: Classes of their partners, (B,) int64.
        mix: How they are mixed.
        num_classes: K.
    """
    shares = torch.zeros(len(labels), num_classes, device=labels.device)
    shares.scatter_add_(1, labels[:, None], mix.shares[:, None])
    return shares.scatter_add_(1, other[:, None], 1 - mix.shares[:, None])


def _boxes(shares: Tensor, draws: Draws, height: int, width: int) -> Tensor:
    """Returns boxes around any pixel that leave these shares of an image, cut at its edges."""
    ratio = (1 - shares).sqrt()
    edges = []
    for name, side in (("y", height), ("x", width)):
        half = (ratio * side / 2).to(torch.int64)
        centre = draws.integer(f"box {name}", 0, side - 1)
        edges += [(centre - half).clamp(min=0), (centre + half).clamp(max=side)]
    return torch.stack(edges, dim=1)


def _beta(alpha: float, quantile: Tensor) -> Tensor:
    return _beta_quantiles(alpha).to(quantile.device)[quantile]


@lru_cache
def _beta_quantiles(alpha: float) -> Tensor:
    # scipy costs a second to import, and only mixing recipes need it.
    from scipy.special import betaincinv

    middles = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
    return torch.from_numpy(betaincinv(alpha, alpha, middles.numpy())).float()

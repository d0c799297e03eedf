import math

import torch

from metakd.data.augmentations.operations import rotation, scaling, shear, translation, warp


def images() -> torch.Tensor:
    return torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))


def both(value: float) -> torch.Tensor:
    return torch.full((2,), value)


def test_translation_looks_further_and_finds_black_outside() -> None:
    moved = warp(images(), translation(both(2), both(-1)))
    torch.testing.assert_close(moved[..., 1:, :7], images()[..., :8, 2:])
    assert moved[..., 7:].abs().max() < 1e-5
    assert moved[..., 0, :].abs().max() < 1e-5


def test_a_negative_scale_mirrors() -> None:
    mirrored = warp(images(), scaling(both(-1), both(1)))
    torch.testing.assert_close(mirrored, images().flip(-1))


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    turned = warp(images(), rotation(both(math.tan(math.pi / 4))))
    torch.testing.assert_close(turned, images().rot90(1, dims=(2, 3)))


def test_maps_compose_as_matrices_do() -> None:
    first, second = shear(both(0.3), both(-0.1)), rotation(both(0.2))
    x, y = 2.0, -1.5

    def apply(map_, x: float, y: float) -> tuple[float, float]:
        xx, xy, yx, yy, x0, y0 = (float(entry[0]) for entry in map_)
        return xx * x + xy * y + x0, yx * x + yy * y + y0

    first = translation(both(1.0), both(2.0)).after(first)
    expected = apply(second, *apply(first, x, y))
    found = apply(second.after(first), x, y)
    assert all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(found, expected, strict=True))

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from metakd.data.augmentations import operations

PIXELS = np.random.default_rng(0).integers(20, 200, (16, 16, 3), dtype=np.uint8)
IMAGES = torch.from_numpy(PIXELS.transpose(2, 0, 1)[None].copy()).float()


def as_pillow(images: torch.Tensor) -> np.ndarray:
    return images[0].permute(1, 2, 0).round().numpy()


@pytest.mark.parametrize(
    ("change", "pillow"),
    [
        (operations.brightness, ImageEnhance.Brightness),
        (operations.contrast, ImageEnhance.Contrast),
        (operations.colour, ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("strength", [-0.5, 0.0, 0.5])
def test_enhancements_are_those_of_pillow(change, pillow, strength: float) -> None:
    changed = as_pillow(change(IMAGES, torch.tensor([strength])))
    expected = np.asarray(
        pillow(Image.fromarray(PIXELS)).enhance(1 + operations.LARGEST_CHANGE * strength)
    )
    # Pillow truncates to whole levels on its way.
    assert np.abs(changed - expected).max() <= 2


def test_solarize_is_that_of_pillow() -> None:
    changed = as_pillow(operations.solarize(IMAGES, torch.tensor([-1.0])))
    assert np.array_equal(changed, np.asarray(ImageOps.solarize(Image.fromarray(PIXELS), 128)))


@pytest.mark.parametrize(("strength", "bits"), [(0.0, 7), (0.34, 6), (-0.66, 5), (1.0, 4)])
def test_posterize_is_that_of_pillow(strength: float, bits: int) -> None:
    changed = as_pillow(operations.posterize(IMAGES, torch.tensor([strength])))
    assert np.array_equal(changed, np.asarray(ImageOps.posterize(Image.fromarray(PIXELS), bits)))


def test_equalize_spreads_levels_over_the_whole_range_in_order() -> None:
    changed = operations.equalize(IMAGES, torch.zeros(1))
    assert changed.amin(dim=(2, 3)).eq(0).all()
    assert changed.amax(dim=(2, 3)).eq(255).all()
    order = IMAGES[0, 0].flatten().argsort(stable=True)
    assert (changed[0, 0].flatten()[order].diff() >= 0).all()
    # Levels are about uniform: their mean is near the middle.
    assert abs(float(changed.mean()) - 127.5) < 5


def test_a_flat_image_stays_as_it_is() -> None:
    flat = torch.full((1, 3, 8, 8), 77.0)
    strength = torch.tensor([0.7])
    for change in (operations.equalize, operations.sharpness, operations.colour):
        torch.testing.assert_close(change(flat, strength), flat)


def test_sharpness_pushes_a_spot_from_its_surroundings_or_into_them() -> None:
    spot = torch.full((1, 1, 5, 5), 100.0)
    spot[..., 2, 2] = 118
    mean = 102.0
    for strength in (-1.0, 1.0):
        factor = 1 + operations.LARGEST_CHANGE * strength
        changed = operations.sharpness(spot, torch.tensor([strength]))
        assert float(changed[0, 0, 2, 2]) == pytest.approx(mean + factor * (118 - mean))


def test_each_image_has_its_own_strength() -> None:
    images = IMAGES.repeat(2, 1, 1, 1)
    changed = operations.brightness(images, torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(changed[:1], IMAGES)
    assert changed[1].mean() > IMAGES.mean()

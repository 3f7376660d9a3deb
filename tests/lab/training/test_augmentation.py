"""An image and its boxes are moved alike; colours change as the slow way of doing it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.lab.training.augmentation import draw_placement, place_boxes, place_image, recolour
from heatprop.lab.training.config import AugmentationConfig
from heatprop.letterbox import InputFormat, boxes_to_cells, fit_letterbox, letterbox
from heatprop.types import ImageArray

STILL = AugmentationConfig(flip=0, scale=(1, 1), shift=False, colour=0, lighting=0)


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(40, 400),
    height=st.integers(40, 400),
    seed=st.integers(0, 10_000),
    flip=st.sampled_from([0, 1]),
)
def test_a_box_lies_around_what_it_was_around(width: int, height: int, seed: int, flip: int) -> None:
    random = np.random.default_rng(seed)
    x1, y1 = random.integers(0, (width - 20, height - 20))
    x2, y2 = random.integers((x1 + 16, y1 + 16), (width + 1, height + 1))
    image = np.zeros((height, width, 3), np.uint8)
    image[y1:y2, x1:x2] = 255
    placement = draw_placement(width, height, 128, AugmentationConfig(flip=flip), random)
    placed = place_image(image, placement, 128)[..., 0] > 127
    (box,) = place_boxes(np.array([[x1, y1, x2, y2]], np.float64), placement)
    rows, columns = np.flatnonzero(placed.any(axis=1)), np.flatnonzero(placed.any(axis=0))
    clipped = np.clip(box, 0, 128)
    if not len(rows):
        assert (clipped[2:] - clipped[:2]).min() < 1.5
        return
    seen = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    # Halving a side that is odd moves an edge by up to half a pixel of the image.
    np.testing.assert_allclose(seen, clipped, atol=1.1 + max(placement.scale, 0))


def test_unchanged_it_is_what_the_network_will_see(street_image: ImageArray) -> None:
    height, width = street_image.shape[:2]
    placement = draw_placement(width, height, 320, STILL, np.random.default_rng(0))
    placed = place_image(street_image, placement, 320)
    fitted = fit_letterbox(width, height, InputFormat(320, 320))
    seen = letterbox(street_image, fitted)
    assert np.abs(placed.astype(int) - seen).mean() < 1.5
    box = np.array([[10.0, 20, 300, 250]])
    np.testing.assert_allclose(
        place_boxes(box, placement), boxes_to_cells(box.astype(np.float32), fitted, 1), atol=0.6
    )


def test_flipped_is_mirrored(street_image: ImageArray) -> None:
    height, width = street_image.shape[:2]
    images = [
        place_image(
            street_image,
            draw_placement(width, height, 320, AugmentationConfig(flip=flip, scale=(1, 1), shift=False),
                           np.random.default_rng(0)),
            320,
        )
        for flip in (0, 1)
    ]  # fmt: skip
    assert np.abs(images[0].astype(int) - images[1][:, ::-1]).max() <= 1


def test_scales_and_middles_stay_within_their_rule() -> None:
    config = AugmentationConfig(flip=0)
    random = np.random.default_rng(0)
    placements = [draw_placement(640, 360, 512, config, random) for _ in range(2000)]
    scales = np.array([each.scale for each in placements])
    assert 512 / (640 * 1.4) <= scales.min() < 0.58
    assert 1.31 < scales.max() <= 512 / (640 * 0.6)
    middles = np.array([((256 - each.left) / each.scale_x, (256 - each.top) / each.scale) for each in placements])
    assert (middles.min(axis=0) >= 128).all()
    assert (middles.min(axis=0) < 132).all()
    assert (middles.max(axis=0) <= (640 - 128, 360 - 128)).all()
    assert (middles.max(axis=0) > (640 - 132, 360 - 132)).all()


@pytest.mark.parametrize("side", [1, 2, 3, 200, 256, 257])
def test_small_images_have_a_middle_too(side: int) -> None:
    placement = draw_placement(side, side, 64, AugmentationConfig(), np.random.default_rng(0))
    middle = (32 - placement.top) / placement.scale
    assert 0 <= middle <= side
    assert place_image(np.full((side, side, 3), 9, np.uint8), placement, 64).shape == (64, 64, 3)


def slow_recolour(image: ImageArray, config: AugmentationConfig, random: np.random.Generator) -> ImageArray:
    """Change an image step by step, pixel for pixel, in floating point."""
    order = random.permutation(3)
    factors = 1 + random.uniform(-config.colour, config.colour, 3)
    light = random.normal(0, config.lighting, 3)
    grey = np.array([0.299, 0.587, 0.114])
    values = image.astype(np.float64)
    for kind, factor in zip(order, factors, strict=True):
        other = {
            0: np.zeros_like(values),
            1: np.full_like(values, (values @ grey).mean()),
            2: np.repeat((values @ grey)[..., None], 3, axis=2),
        }[int(kind)]
        values = factor * values + (1 - factor) * other
    axes = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    values += 255 * (axes @ (np.array([0.2175, 0.0188, 0.0045]) * light))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_colours_are_those_of_the_slow_way(street_image: ImageArray, seed: int) -> None:
    config = AugmentationConfig()
    fast = recolour(street_image, config, np.random.default_rng(seed))
    slow = slow_recolour(street_image, config, np.random.default_rng(seed))
    assert np.abs(fast.astype(int) - slow).max() <= 1


def test_no_change_of_colour_leaves_every_pixel(street_image: ImageArray) -> None:
    assert (recolour(street_image, STILL, np.random.default_rng(0)) == street_image).all()

"""Boxes that follow what is in them from one frame to the next."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.runtime.motion import follow_boxes, grey_image

HEIGHT, WIDTH = 120, 160


def textured(seed: int = 0) -> np.ndarray:
    """Return a frame with detail of several sizes everywhere."""
    noise = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH)).astype(np.float32)
    smooth = sum(cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (1.5, 3, 6))
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def warped(frame: np.ndarray, scale: float, shift: tuple[float, float], centre: tuple[float, float]) -> np.ndarray:
    matrix = np.float32(
        [
            [scale, 0, centre[0] * (1 - scale) + shift[0]],
            [0, scale, centre[1] * (1 - scale) + shift[1]],
        ]
    )
    return cv2.warpAffine(frame, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


@settings(max_examples=40, deadline=None)
@given(st.floats(-6, 6), st.floats(-6, 6), st.floats(0.95, 1.05))
def test_a_box_goes_and_grows_with_its_object(x: float, y: float, scale: float) -> None:
    frame, box = textured(), np.float32([[50, 40, 100, 80]])
    after = warped(frame, scale, (x, y), (75, 60))
    half_width, half_height = 25 * scale, 20 * scale
    expected = [75 + x - half_width, 60 + y - half_height, 75 + x + half_width, 60 + y + half_height]
    np.testing.assert_allclose(follow_boxes(frame, after, box)[0], expected, atol=1.0)


def test_objects_move_each_for_itself() -> None:
    before = np.full((HEIGHT, WIDTH), 128, np.uint8)
    after = before.copy()
    patches = textured()
    for (y, x), (dy, dx) in (((20, 20), (3, 4)), ((70, 100), (-2, -5))):
        before[y : y + 30, x : x + 30] = patches[y : y + 30, x : x + 30]
        after[y + dy : y + dy + 30, x + dx : x + dx + 30] = patches[y : y + 30, x : x + 30]
    moved = follow_boxes(before, after, np.float32([[20, 20, 50, 50], [100, 70, 130, 100]]))
    np.testing.assert_allclose(moved, [[24, 23, 54, 53], [95, 68, 125, 98]], atol=1.0)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_where_nothing_can_be_seen_boxes_stay(level: int) -> None:
    blank, boxes = np.full((HEIGHT, WIDTH), level, np.uint8), np.float32([[10, 10, 40, 40]])
    np.testing.assert_allclose(follow_boxes(blank, blank, boxes), boxes, atol=1e-4)


def test_boxes_outside_the_frame_stay() -> None:
    frame = textured()
    boxes = np.float32([[-90, -80, -50, -40], [170, 130, 190, 150]])
    np.testing.assert_array_equal(follow_boxes(frame, np.roll(frame, 3, axis=1), boxes), boxes)


def test_those_after_the_first_16_go_with_their_neighbour() -> None:
    frame = textured()
    boxes = np.float32([[50, 40, 100, 80]] * 16 + [[55, 45, 65, 55]] * 3)
    moved = follow_boxes(frame, warped(frame, 1, (4, -3), (0, 0)), boxes)
    np.testing.assert_allclose(moved[16:] - boxes[16:], [[4, -3, 4, -3]] * 3, atol=0.6)


def test_no_boxes_stay_none() -> None:
    assert follow_boxes(textured(), textured(), np.empty((0, 4), np.float32)).shape == (0, 4)


def test_boxes_without_area_are_followed_too() -> None:
    frame = textured()
    moved = follow_boxes(frame, frame, np.float32([[40, 40, 40, 40], [60, 50, 40, 30]]))
    assert np.isfinite(moved).all()


def test_the_grey_image_has_half_the_size() -> None:
    assert grey_image(np.zeros((64, 96, 3), np.uint8)).shape == (32, 48)

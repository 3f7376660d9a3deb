"""Cuts are found, and what only looks like one is not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop import open_video
from heatprop.runtime.shots import is_cut, thumbnail


def test_the_demo_clips_five_cuts_are_found_and_nothing_else(demo_clip):
    with open_video(demo_clip) as video:
        small = [thumbnail(frame.image) for frame in video]
    cuts = [i for i, (before, after) in enumerate(pairwise(small), 1) if is_cut(before, after)]
    assert cuts == [30, 76, 137, 187, 242]


@given(st.floats(0.05, 1.0))
def test_a_change_of_exposure_is_no_cut(factor):
    random = np.random.default_rng(0)
    frame = random.uniform(0, 255, (32, 32, 3)).astype(np.float32)
    assert not is_cut(frame, frame * np.float32(factor))


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5000, 3), (272, 640, 3), (1080, 1920, 3)])
def test_every_size_of_frame_has_a_thumbnail_of_its_own_averages(shape):
    image = np.random.default_rng(0).integers(100, 156, shape, np.uint8)
    assert thumbnail(image).shape == (32, 32, 3)
    assert thumbnail(image).mean() == pytest.approx(image.mean(), abs=2)

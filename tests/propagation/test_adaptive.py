"""Propagation that adapts equals loops over objects and cells; with nothing of the past it is the network's."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_scenes import ADAPTIVE, adapting, over, scene
from adaptive_videos import configs, outputs, videos
from heatprop.propagation import AdaptationConfig, HeatmapPropagator, decode
from heatprop.propagation.adaptive import FollowedTracklets
from heatprop.types import HeadOutput
from reference.adaptation import LoopingFollower
from same_detections import assert_same_detections, without_ids

OFF = {
    "velocity": 0.0,
    "least_radius": 100,
    "second_chance": 0.0,
    "nearness": 0.0,
    "min_iou": 0.0,
    "support": 0.0,
    "decay": 1.0,
    "max_length": inf,
    "rising_weight": 1.0,
    "boost": 0.0,
    "best_decay": 0.0,
    "leaving": 1.0,
    "leaving_speed": inf,
    "trust": 0.0,
    "holds_peaks": False,
}


# the same as loops over objects and cells


def assert_equals_the_loops(frames, config, image_area=None):
    fast, overwriting, loops = HeatmapPropagator(config), HeatmapPropagator(config), LoopingFollower(config)
    for heatmap, size, offset in frames:
        before = heatmap.copy()
        found = fast.update(HeadOutput(heatmap, size, offset), image_area=image_area)
        np.testing.assert_array_equal(heatmap, before)
        assert_same_detections(
            overwriting.update(HeadOutput(heatmap.copy(), size, offset), overwrite=True, image_area=image_area),
            found,
        )
        wanted = loops.update(heatmap, size, offset, image_area)
        assert found.labels.tolist() == [each["label"] for each in wanted]
        assert found.lengths.tolist() == [each["length"] for each in wanted]
        np.testing.assert_allclose(found.scores, [each["score"] for each in wanted], rtol=0, atol=1e-6)
        boxes = np.reshape([each["box"] for each in wanted], (-1, 4))
        np.testing.assert_allclose(found.boxes, boxes, rtol=0, atol=1e-4)
        assert_hands_on_the_same(fast, wanted)


def assert_hands_on_the_same(propagator, wanted):
    followed = propagator.memory.tracklets
    assert isinstance(followed, FollowedTracklets)
    cells = [each["cell"] for each in wanted]
    places = zip(followed.labels.tolist(), *followed.centres.T[::-1].tolist(), strict=True)
    assert list(places) == cells
    velocities = np.reshape([each["velocity"][::-1] for each in wanted], (-1, 2))
    np.testing.assert_allclose(followed.velocities, velocities, rtol=0, atol=1e-5)
    np.testing.assert_allclose(followed.errors, [each["error"] for each in wanted], rtol=0, atol=1e-6)
    np.testing.assert_allclose(followed.best, [each["best"] for each in wanted], rtol=0, atol=1e-6)


areas = st.tuples(*(st.sampled_from(sides) for sides in ((0, 1, 2.25), (0, 1.5), (5, 6, 7.5), (4, 5.25))))


@given(videos(), configs(), st.none() | areas)
def test_the_update_equals_loops_over_objects_and_cells(frames, config, image_area):
    assert_equals_the_loops(frames, config, image_area)


@given(videos(), st.integers(0, 3))
def test_so_it_does_as_adaptive_has_it(frames, radius):
    assert_equals_the_loops(frames, replace(ADAPTIVE, radius=radius))


def test_an_object_expected_outside_of_a_small_map_is_looked_for_as_far_as_its_radius_says():
    """Expected in column -1, it is 3 cells off in column 2, farther than any two cells of the map are apart."""
    config = replace(adapting(min_iou=0.0), radius=3)
    found = over(config, [scene((0, column, 0.9), grid=(2, 3)) for column in (2, 0, 2)])
    assert [each.lengths.tolist() for each in found] == [[1], [2], [3]]


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]))
def test_and_with_the_largest_radius_and_many_objects(seed, min_iou):
    random = np.random.default_rng(seed)
    frames = [
        (np.float32(random.choice([0, 0.1, 0.5, 0.9], (2, 11, 13))), np.full((2, 11, 13), 1.5, np.float32), None)
        for _ in range(3)
    ]
    config = replace(adapting(min_iou=min_iou, least_radius=128), radius=128, nms_iou=1.0)
    assert_equals_the_loops(frames, config)


@pytest.mark.parametrize("part", OFF)
@settings(max_examples=40)
@given(frames=videos())
def test_and_with_each_part_switched_off(part, frames):
    assert_equals_the_loops(frames, adapting(**{part: OFF[part]}))


@given(videos(), configs())
def test_with_every_part_off_and_no_radius_it_is_the_papers_form(frames, config):
    config = replace(config, radius=0, adaptation=AdaptationConfig(**OFF))
    plain = replace(config, adaptation=None)
    for found, wanted in zip(over(config, outputs(frames)), over(plain, outputs(frames)), strict=True):
        assert_same_detections(found, wanted)


# the network alone


def alone(output, config):
    names = ("score_threshold", "max_detections", "nms_iou")
    return decode(output, **{name: getattr(config, name) for name in names})


@given(videos(), configs())
def test_a_first_frame_is_decoded_as_the_network_says(frames, config):
    propagator = HeatmapPropagator(config)
    for output in outputs(frames):
        assert_same_detections(without_ids(propagator.update(output)), alone(output, config))
        propagator.reset()


@given(videos(), configs())
def test_a_tracklet_length_that_ends_at_0_is_the_network_alone(frames, config):
    config = replace(config, adaptation=replace(config.adaptation, max_length=0))
    for output, found in zip(outputs(frames), over(config, outputs(frames)), strict=True):
        assert_same_detections(without_ids(found), alone(output, config))

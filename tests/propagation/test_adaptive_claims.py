"""Which cell the adaptive form takes for an object, and with which size."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from adaptive_scenes import ADAPTIVE, adapting, after, centre, over, scene
from adaptive_videos import configs, outputs, videos


@given(videos(), configs())
def test_each_object_lifts_at_most_one_detection(frames, config):
    last = Counter()
    for found in over(config, outputs(frames)):
        lengths = list(zip(found.labels.tolist(), found.lengths.tolist(), strict=True))
        came = Counter((label, length - 1) for label, length in lengths if length > 1)
        assert came <= last
        last = Counter(lengths)


def test_a_neighbour_within_reach_with_another_box_is_not_taken_for_the_object():
    gone = [scene((12, 12, 0.9))] * 3 + [scene((12, 14, 0.4, 12.0))]
    _, found = after(adapting(least_radius=2), gone)  # it stays, unseen, where it was
    assert found.lengths.tolist() == [4, 1]
    assert found.scores[1] == np.float32(0.4)
    assert centre(found, 0) == (12, 12)
    assert centre(found, 1) == (12, 14)
    _, found = after(adapting(least_radius=2, min_iou=0), gone)
    assert found.lengths.tolist() == [4]
    assert found.scores[0] > 0.6


def test_of_two_neighbours_within_reach_the_nearer_or_first_is_boosted_and_the_other_as_the_network_says():
    config = adapting(min_iou=0)
    for neighbours, taken in (
        ([(12, 10), (12, 14)], (12, 10)),
        ([(10, 12), (12, 10)], (10, 12)),
        ([(12, 14), (13, 11)], (13, 11)),
        ([(10, 10), (12, 14)], (12, 14)),
    ):
        weak = scene(*((*place, 0.4, 1.0) for place in neighbours))
        _, found = after(config, [scene((12, 12, 0.9, 1.0)), weak])
        assert found.lengths.tolist() == [2, 1]
        assert centre(found) == taken
        assert found.scores[1] == np.float32(0.4)


@pytest.mark.parametrize(("nearness", "taken"), [(0.0, (12, 14)), (0.01, (12, 14)), (0.2, (12, 12))])
def test_nearness_weighs_distance_against_score(nearness, taken):
    config = adapting(nearness=nearness, min_iou=0)
    _, found = after(config, [scene((12, 12, 0.9, 1.0)), scene((12, 12, 0.3, 1.0), (12, 14, 0.6, 1.0))])
    assert centre(found, found.lengths.tolist().index(2)) == taken


def test_two_objects_that_find_the_same_cell_lift_it_once_for_the_stronger():
    both = scene((12, 10, 0.9, 3.0), (12, 14, 0.6, 3.0))
    one = scene((12, 12, 0.7, 3.0))
    propagator, found = after(adapting(min_iou=0.1), [both, both, one])
    assert found.lengths[0] == 3
    assert found.scores[0] > 0.8
    assert sum(found.scores > 0.6) == 1
    assert 0.7 < propagator.memory.tracklets.best[0] < 0.9  # drawn to the score, from 0.9: the other had 0.6


def test_two_objects_that_pass_each_other_keep_their_lengths():
    def passing(frame):
        return scene((8, 4 + frame, 0.9, 3.0), (11, 19 - frame, 0.7, 3.0))

    for frame, found in enumerate(over(ADAPTIVE, [passing(frame) for frame in range(16)])):
        assert found.lengths.tolist() == [frame + 1] * 2
        np.testing.assert_array_equal(found.scores, np.float32([0.9, 0.7]))
        assert [centre(found, row) for row in (0, 1)] == [(8, 4 + frame), (11, 19 - frame)]


@pytest.mark.parametrize(("trust", "wanted"), [(0, 2 + 6 / 3), (1, 2 + 6 / 5), (2, 2 + 6 * 2 / 6)])
def test_sizes_are_mixed_by_what_the_network_sees(trust, wanted):
    config = adapting(trust=trust, min_iou=0)
    _, found = after(config, [scene((12, 12, 0.8, 2.0)), scene((12, 12, 0.4, 8.0))])
    assert found.boxes[0, 2] - found.boxes[0, 0] == pytest.approx(wanted, abs=1e-5)

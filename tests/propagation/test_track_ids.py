"""Each detection of a heatmap has an id: that of its object, or one that was never given before."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.propagation import HeatmapPropagator, IdentityConfig, PropagationConfig, decode
from heatprop.types import HeadOutput
from same_detections import assert_same_detections

FORMS = [PropagationConfig.paper(), PropagationConfig.adaptive(), PropagationConfig.interpolation()]


def seen(*objects, grid=(20, 20), size=2.0):
    heatmap = np.zeros((2, *grid), np.float32)
    for label, row, column, score in objects:
        heatmap[label, row, column] = score
    return HeadOutput(heatmap, np.full((2, *grid), size, np.float32))


@pytest.mark.parametrize("config", FORMS, ids=["paper", "adaptive", "interpolation"])
def test_an_object_keeps_its_id_while_it_is_carried_and_a_new_one_has_a_new_id(config):
    propagator = HeatmapPropagator(config)
    still = (0, 5, 5, 0.9)
    assert propagator.update(seen(still)).track_ids.tolist() == [0]
    assert propagator.update(seen(still, (1, 15, 15, 0.5))).track_ids.tolist() == [0, 1]
    found = propagator.update(seen((1, 15, 15, 0.95), still))
    assert dict(zip(found.labels.tolist(), found.track_ids.tolist(), strict=True)) == {0: 0, 1: 1}


def test_an_id_is_not_given_again_when_its_object_is_gone():
    propagator = HeatmapPropagator(PropagationConfig(alpha=0.0, identity=IdentityConfig(memory=0)))
    propagator.update(seen((0, 5, 5, 0.9)))
    assert len(propagator.update(seen())) == 0
    assert propagator.update(seen((0, 5, 5, 0.9))).track_ids.tolist() == [1]


def test_after_a_cut_ids_go_on_and_in_another_video_they_begin_anew():
    propagator = HeatmapPropagator()
    propagator.update(seen((0, 5, 5, 0.9)))
    propagator.forget()
    assert propagator.update(seen((0, 5, 5, 0.9))).track_ids.tolist() == [1]
    propagator.reset()
    found = propagator.update(seen((0, 5, 5, 0.9)))
    assert (found.track_ids.tolist(), found.lengths.tolist()) == ([0], [1])


def test_another_propagator_that_is_given_the_memory_gives_no_id_again():
    first, second = HeatmapPropagator(), HeatmapPropagator()
    first.update(seen((0, 5, 5, 0.9)))
    first.forget()
    second.memory = first.memory
    assert second.update(seen((0, 5, 5, 0.9))).track_ids.tolist() == [1]
    before = second.memory
    second.update(seen((1, 9, 9, 0.9)))
    second.memory = before
    assert second.update(seen((1, 9, 9, 0.9))).track_ids.tolist() == [2, 1]


@pytest.mark.parametrize("config", FORMS, ids=["paper", "adaptive", "interpolation"])
def test_who_changes_what_was_found_does_not_change_what_is_carried(config):
    disturbed, alone = HeatmapPropagator(config), HeatmapPropagator(config)
    for score in (0.9, 0.4, 0.1):
        found, wanted = disturbed.update(seen((0, 5, 5, score))), alone.update(seen((0, 5, 5, score)))
        assert_same_detections(found, wanted)
        for each in (found.boxes, found.scores, found.labels, found.lengths, found.track_ids):
            each[:] = 77


def test_of_the_detections_in_a_square_the_best_seen_keeps_the_id():
    propagator = HeatmapPropagator(PropagationConfig(radius=2, alpha=0.1, score_threshold=0.2))
    propagator.update(seen((0, 10, 10, 0.9), size=1.0))
    # Farther from one another than the window of a peak, both within the square; the second is seen better.
    found = propagator.update(seen((0, 8, 8, 0.4), (0, 11, 11, 0.7), size=1.0))
    assert found.lengths.tolist() == [2, 2]
    rows = ((found.boxes[:, 1] + found.boxes[:, 3]) / 2).round().tolist()
    by_row = dict(zip(rows, found.track_ids.tolist(), strict=True))
    assert by_row == {11: 0, 8: 1}


def test_what_is_decoded_alone_has_no_id():
    assert decode(seen((0, 5, 5, 0.9))).track_ids.tolist() == [-1]


@given(st.sampled_from(FORMS), st.integers(0, 2**32 - 1))
def test_ids_are_never_doubled_and_new_ones_are_larger_than_all_before(config, seed):
    random = np.random.default_rng(seed)
    propagator, known = HeatmapPropagator(config), set()
    for _ in range(6):
        heatmap = random.choice([0, 0.05, 0.3, 0.5, 0.5, 1], (2, 7, 9)) * (random.random((2, 7, 9)) < 0.4)
        found = propagator.update(HeadOutput(heatmap, random.uniform(0, 5, (2, 7, 9))))
        ids = found.track_ids.tolist()
        assert max(Counter(ids).values(), default=1) == 1
        new = [track for track in ids if track not in known]
        assert all(track > max(known, default=-1) for track in new)
        known.update(ids)

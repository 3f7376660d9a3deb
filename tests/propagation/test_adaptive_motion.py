"""How the adaptive form follows objects that move, start to move, are hidden or leave."""

from dataclasses import replace

import numpy as np
import pytest

from adaptive_scenes import ADAPTIVE, adapting, after, centre, over, scene
from heatprop.propagation import HeatmapPropagator, PropagationConfig
from heatprop.propagation.adaptive import FollowedTracklets
from heatprop.types import HeadOutput
from same_detections import assert_same_detections


def test_an_object_of_steady_speed_keeps_its_tracklet_and_the_papers_form_loses_it():
    columns = np.cumsum([4, 1, 2, 3, *[4] * 16]).tolist()  # it gathers speed
    run = [scene((12, column, 0.9, 8.0), grid=(24, 90)) for column in columns]
    assert over(ADAPTIVE, run)[-1].lengths.tolist() == [20]
    papers = over(PropagationConfig.paper(), run)[-1]
    assert papers.lengths[0] == 1
    assert over(adapting(velocity=0), run)[-1].lengths[0] == 1


def test_a_fast_object_is_followed_from_its_first_frames_where_the_radii_allow_it():
    run = [scene((12, 4 + 4 * frame, 0.9, 12.0), grid=(24, 90)) for frame in range(12)]
    config = replace(ADAPTIVE, radius=4)
    assert over(config, run)[-1].lengths.tolist() == [12]


def test_a_hidden_object_goes_on_as_it_went():
    seen = [scene((12, 10 + 2 * frame, 0.9, 6.0), grid=(24, 60)) for frame in range(10)]
    _, found = after(ADAPTIVE, [*seen, *[scene(grid=(24, 60))] * 2])
    assert centre(found) == (12, 10 + 2 * 11)
    assert found.lengths.tolist() == [12]
    _, found = after(adapting(velocity=0), [*seen, *[scene(grid=(24, 60))] * 2])
    assert centre(found) == (12, 10 + 2 * 9)


def test_a_still_object_is_looked_for_nearby_only_when_its_motion_is_foreseen():
    once = adapting(second_chance=0)
    jump = scene((12, 14, 0.9, 6.0))
    _, found = after(once, [scene((12, 12, 0.9, 6.0)), jump])
    assert found.lengths[0] == 2  # new: it may move
    _, found = after(once, [*[scene((12, 12, 0.9, 6.0))] * 6, jump])
    assert found.lengths[0] == 1  # it never did
    _, found = after(adapting(least_radius=2, second_chance=0), [*[scene((12, 12, 0.9, 6.0))] * 6, jump])
    assert found.lengths[0] == 7


@pytest.mark.parametrize(
    ("size", "speed"),
    [
        *((3.0, speed) for speed in ((0, 2), (0, -2), (2, 0), (-2, 0))),
        *((4.0, speed) for speed in ((0, 2), (-2, 0), (1, 2))),
        *((6.0, speed) for speed in ((0, 2), (1, -2), (2, 2))),
        (20.0, (-2, -2)),
    ],
)
def test_a_strong_object_that_starts_to_move_does_not_start_anew(size, speed):
    rest = [scene((30, 30, 0.9, size), grid=(60, 60))] * 10
    down, right = speed
    moving = [scene((30 + down * step, 30 + right * step, 0.8, size), grid=(60, 60)) for step in range(1, 10)]
    found = over(ADAPTIVE, [*rest, *moving])
    assert [each.track_ids.tolist() for each in found] == [[0]] * 19
    assert found[-1].lengths.tolist() == [19]


def test_what_is_seen_less_than_half_as_well_is_not_taken_for_a_lost_object():
    rest = [scene((12, 12, 0.9, 6.0))] * 6
    for score, column in ((0.46, 14), (0.43, 12)):
        _, found = after(ADAPTIVE, [*rest, scene((12, 14, score, 6.0))])
        assert found.track_ids.tolist() == [0]
        assert centre(found) == (12, column)


def test_a_lost_object_does_not_take_its_neighbours_peak_nor_the_flank_of_it():
    both = scene((12, 12, 0.9, 6.0), (12, 16, 0.8, 6.0))
    broad = scene((12, 15, 0.5, 6.0), (12, 16, 0.8, 6.0), (12, 17, 0.5, 6.0))
    _, found = after(ADAPTIVE, [*[both] * 6, broad])
    places = {track: centre(found, row) for row, track in enumerate(found.track_ids.tolist())}
    assert places == {0: (12, 12), 1: (12, 16)}


def test_a_lost_object_takes_neither_plateau_nor_flank_of_another():
    def wide(*objects):
        return scene(*objects, size=5.0)

    both = [wide((12, 10, 0.9), (12, 13, 0.85))] * 6
    hidden = [wide((12, 10, 0.88), (12, 11, 0.88))] * 3
    found = over(ADAPTIVE, [*both, *hidden])[-1]
    assert sorted(found.lengths.tolist()) == [9, 9]
    both = [wide((12, 10, 0.8), (12, 13, 0.95))] * 6
    found = over(ADAPTIVE, [*both, wide((12, 10, 0.795), (12, 11, 0.80))])[-1]
    assert 0 not in found.track_ids.tolist()  # the better of the two is hidden, and has not jumped to the other


def leaving_run(down, backwards):
    """An object that goes over one of the four borders: it loses score in the last three frames."""
    for place, score in zip((*range(8, 23, 2), 23), [*[0.9] * 6, 0.7, 0.3, 0.1], strict=True):
        along = 23 - place if backwards else place
        row, column = (along, 12) if down else (12, along)
        yield scene((row, column, score, 6.0))


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_an_object_that_leaves_over_a_border_loses_its_score_faster(down, backwards):
    soon = over(ADAPTIVE, leaving_run(down, backwards))
    late = over(adapting(leaving=1), leaving_run(down, backwards))
    assert [each.lengths.tolist() for each in soon] == [[count + 1] for count in range(9)]
    for one, other in zip(soon[:6], late[:6], strict=True):
        assert_same_detections(one, other)
    for one, other in zip(soon[-2:], late[-2:], strict=True):
        assert one.scores[0] < other.scores[0]
    slower = over(adapting(leaving_speed=3), leaving_run(down, backwards))
    assert slower[-1].scores[0] == late[-1].scores[0]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_in_a_padded_input_it_leaves_over_the_border_of_the_image(down, backwards):
    padding = 8
    run = list(leaving_run(down, backwards))
    padded = []
    for output in run:
        heatmap, size = (
            np.pad(each, ((0, 0), (padding,) * 2, (padding,) * 2)) for each in (output.heatmap, output.size)
        )
        padded.append(HeadOutput(heatmap, size))
    propagators = [HeatmapPropagator(ADAPTIVE) for _ in range(3)]
    area = (padding, padding, padding + 24, padding + 24)
    for output, wide in zip(run, padded, strict=True):
        plain = propagators[0].update(output)
        told = propagators[1].update(wide, image_area=area)
        untold = propagators[2].update(wide)
        np.testing.assert_array_equal(told.scores, plain.scores)
        np.testing.assert_allclose(told.boxes, plain.boxes + padding, rtol=1e-6)
    assert untold.scores[0] > told.scores[0]


def test_in_the_middle_of_the_image_leaving_makes_no_difference():
    run = [scene((30, 10 + 2 * i, 0.9 - 0.08 * i, 6.0), grid=(60, 60)) for i in range(10)]
    for one, other in zip(over(ADAPTIVE, run), over(adapting(leaving=0), run), strict=True):
        assert_same_detections(one, other)


def test_moved_objects_are_found_where_they_went_and_what_leaves_the_grid_is_forgotten():
    start = scene((6, 6, 0.9), (18, 20, 0.7))
    propagator, _ = after(ADAPTIVE, [start] * 3)
    propagator.move(np.float32([[7, 5], [4, 0]]), np.float32([2.0, 1.0]))
    followed = propagator.memory.tracklets
    assert isinstance(followed, FollowedTracklets)
    assert followed.centres.tolist() == [[13, 11]]
    found = propagator.update(scene((11, 13, 0.2, 6.0)))
    assert found.lengths.tolist() == [4]
    assert found.scores[0] > 0.7
    assert centre(found) == (11, 13)


def test_a_moved_object_is_expected_where_it_was_moved_to():
    run = [scene((12, 4 + 2 * frame, 0.9, 6.0), grid=(24, 60)) for frame in range(8)]
    propagator, _ = after(ADAPTIVE, run)
    propagator.move(np.float32([[10, 0]]))
    assert propagator.memory.tracklets.velocities.tolist() == [[0, 0]]
    found = propagator.update(scene(grid=(24, 60)))
    assert centre(found) == (12, 28)

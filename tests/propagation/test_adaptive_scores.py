"""How the adaptive form balances scores, boosts what is seen weakly and forgets what is seen no more."""

from dataclasses import replace
from math import floor, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_scenes import ADAPTIVE, adapting, centre, over, scene, scores_over
from adaptive_videos import configs, outputs, videos
from heatprop.propagation import HeatmapPropagator, PropagationConfig
from heatprop.types import HeadOutput

APART = [(row, column) for row in (4, 14) for column in (4, 14, 24)]  # no two within one another's reach


def apart(scores):
    return scene(*((*place, score) for place, score in zip(APART, scores, strict=True)), grid=(20, 30))


@given(st.lists(st.floats(0.06, 1), min_size=6, max_size=6), st.integers(2, 9), configs())
def test_a_still_scene_of_constant_outputs_keeps_its_scores_and_counts_frames(scores, count, config):
    adaptation = replace(config.adaptation, max_length=max(config.adaptation.max_length, 1))
    config = replace(config, score_threshold=0.05, max_detections=100, adaptation=adaptation)
    wanted = np.sort(np.float32(scores))[::-1]
    for index, found in enumerate(over(config, [apart(scores)] * count)):
        np.testing.assert_array_equal(found.scores, wanted)
        assert found.lengths.tolist() == [index + 1] * 6


@given(
    st.lists(st.lists(st.sampled_from([0, 0.04]) | st.floats(0, 1), min_size=6, max_size=6), max_size=9), configs()
)
def test_nothing_is_boosted_above_the_largest_score_that_the_network_gave_the_object(rows, config):
    propagator = HeatmapPropagator(config)
    for index, scores in enumerate(rows):
        found = propagator.update(apart(scores))
        history = np.float32(rows[: index + 1])
        for row, (score, length) in enumerate(zip(found.scores, found.lengths, strict=True)):
            y, x = centre(found, row)
            near = [abs(y - v) <= 3 and abs(x - u) <= 3 for v, u in APART]
            if any(near):
                assert score <= history[-length:, near.index(True)].max()


@pytest.mark.parametrize("radius", [2, 4, 6])
def test_weaker_neighbours_of_its_class_are_followed_too(radius):
    """Each is within reach of the stronger ones."""
    row = scene(
        *((12, 8 + 4 * place, score, 5.0) for place, score in enumerate((0.9, 0.4, 0.9, 0.4))), grid=(24, 40)
    )
    found = over(replace(ADAPTIVE, radius=radius), [row] * 12)
    assert found[-1].lengths.tolist() == [12] * 4


def test_who_is_not_the_object_takes_no_cell_from_the_one_that_is():
    small = (12, 12, 0.5, 4.0)
    large = (12, 14, 0.9, 14.0)
    run = [*[scene(small)] * 8, scene(small, large), scene(small)]
    found = over(ADAPTIVE, run)[-1]
    assert 10 in found.lengths.tolist()
    assert centre(found, found.lengths.tolist().index(10)) == (12, 12)


def broad(score, sigma=1.5, grid=(24, 24)):
    """Return an object whose heat falls off slowly from its centre."""
    y, x = np.mgrid[: grid[0], : grid[1]]
    heatmap = score * np.exp(-((y - 12) ** 2 + (x - 12) ** 2) / (2 * sigma**2))
    return HeadOutput(heatmap[None].astype(np.float32), np.full((2, *grid), 6.0, np.float32))


def test_a_broad_peak_whose_score_rises_stays_one_object_in_its_place():
    found = over(ADAPTIVE, [broad(0.4)] * 6 + [broad(0.6)])[-1]
    assert found.lengths.tolist() == [7]
    assert centre(found) == (12, 12)
    assert 0.4 < found.scores[0] < 0.6
    loose = over(adapting(holds_peaks=False), [broad(0.4)] * 6 + [broad(0.6)])[-1]
    assert loose.lengths[0] == 1


def test_a_broad_peak_of_wavering_score_is_followed_throughout():
    random = np.random.default_rng(0)
    found = over(ADAPTIVE, [broad(score, 3.0) for score in random.uniform(0.4, 0.6, 60)])
    assert [int(each.lengths[0]) for each in found] == list(range(1, 61))


@given(videos(), configs())
def test_nothing_is_boosted_above_the_largest_value_of_its_class_so_far(frames, config):
    best = np.zeros(len(frames[0][0]), np.float32)
    for (heatmap, _, _), found in zip(frames, over(config, outputs(frames)), strict=True):
        best = np.maximum(best, heatmap.max(axis=(1, 2)))
        assert (found.scores <= best[found.labels]).all()


def test_the_equations_by_hand():
    scores = scores_over(ADAPTIVE, [0.9] * 6 + [0.3, 0.5, 0.0])
    gain = 0.98 * 10 / 11
    seen = 0.3 + gain * 0.6
    largest = 0.9 + 0.05 * (seen - 0.9)
    boosted = seen + 0.1 * (largest - seen)
    again = 0.5 + gain * (boosted - 0.5)
    assert scores[6:] == pytest.approx([seen, again, 0.8 * gain * again], abs=1e-6)
    assert seen == pytest.approx(0.834545, abs=1e-6)


def max_blind_frames(config, score, least):
    """Return after how many frames without anything a score of `score` is surely below `least`."""
    b = config.beta * config.adaptation.max_length
    kept = config.alpha * b / (1 + b) * config.adaptation.decay
    return floor(log(least / score) / log(kept)) + 1


def test_what_left_is_forgotten_in_9_frames_and_not_shown_after_4():
    assert max_blind_frames(ADAPTIVE, 1.0, 0.05) == 9
    assert max_blind_frames(ADAPTIVE, 1.0, 0.3) == 4
    scores = scores_over(ADAPTIVE, [1.0] * 20 + [0.0] * 9)
    assert scores[20 + 8 - 1] >= 0.05 > scores[20 + 9 - 1]
    assert scores[20 + 3 - 1] >= 0.3 > scores[20 + 4 - 1]
    papers = scores_over(PropagationConfig.paper(), [1.0] * 20 + [0.0] * 9)
    assert papers[-1] > 0.3


decay_settings = st.builds(
    lambda alpha, beta, decay, length: replace(adapting(decay=decay, max_length=length), alpha=alpha, beta=beta),
    st.sampled_from([0.5, 0.98, 1.0]),
    st.sampled_from([0.5, 2.0, 5.0]),
    st.sampled_from([0.2, 0.8, 1.0]),
    st.sampled_from([1, 2.5, 5]),
)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), decay_settings, st.sampled_from([0.05, 0.3]))
def test_what_left_is_gone_in_as_many_frames_as_the_settings_say(scores, config, least):
    blind = max_blind_frames(config, 1.0, least) + 1  # one more for what is rounded
    assert scores_over(config, [*scores, *[0.0] * blind])[-1] < least


def test_a_higher_fade_keeps_what_is_not_seen_for_longer():
    blind = [1.0] * 6 + [0.0] * 3
    last = [scores_over(adapting(decay=decay), blind)[-1] for decay in (0.5, 0.8, 1.0)]
    assert last[0] < last[1] < last[2]
    assert scores_over(adapting(support=0), blind)[-1] == last[2]


@pytest.mark.parametrize("faint", [0.0, 0.005, 0.02, 0.04, 0.049])
def test_something_too_faint_to_be_a_detection_holds_no_object_that_left(faint):
    scores = scores_over(ADAPTIVE, [0.9] * 30 + [faint] * 40)[30:]
    assert max(scores[12:]) < 0.3
    assert scores[-1] < 0.06
    assert max(scores_over(adapting(support=0), [0.9] * 30 + [faint] * 60)[-10:]) < 0.06


@pytest.mark.parametrize("left_behind", [0.06, 0.1, 0.2])
def test_a_weak_detection_in_its_place_holds_it_for_a_while_only(left_behind):
    scores = scores_over(ADAPTIVE, [0.9] * 30 + [left_behind] * 200)[30:]
    assert (np.diff(scores) <= 1e-6).all()
    assert scores[-1] == pytest.approx(left_behind, abs=0.01)


def test_a_short_tracklet_is_forgotten_sooner_and_beyond_the_largest_length_none_is_later():
    after_frames = [scores_over(ADAPTIVE, [1.0] * frames + [0.0])[-1] for frames in (1, 3, 5, 6, 30)]
    assert after_frames[0] < after_frames[1] < after_frames[2] == after_frames[3] == after_frames[4]
    endless = adapting(max_length=inf)
    assert scores_over(endless, [1.0] * 30 + [0.0])[-1] > after_frames[-1]


def test_an_object_that_is_seen_weakly_is_boosted_more_with_lift():
    weakly = [0.9] * 5 + [0.4] * 10
    scores = [scores_over(adapting(boost=boost), weakly)[-1] for boost in (0.0, 0.1, 1.0)]
    assert 0.4 < scores[0] < scores[1] < scores[2] <= np.float32(0.9)


def test_an_object_hidden_for_two_frames_comes_back_with_its_length():
    values = [0.9] * 5 + [0.01, 0.0] + [0.9] * 3
    found = over(ADAPTIVE, [scene((12, 12, value)) for value in values])
    assert [each.lengths.tolist() for each in found] == [[count + 1] for count in range(10)]
    assert min(each.scores[0] for each in found) >= 0.3

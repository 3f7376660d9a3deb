"""Seq-Bbox Matching gives what the step-by-step version gives, and loses nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.offline.seqbbox import SeqBboxConfig, SeqBboxMatcher, match_boxes, seq_bbox
from heatprop.types import Detections
from reference.seqbbox import match_frames, offline, online


@st.composite
def videos(draw):
    """Short videos of crowds, ties, identical boxes, boxes of no size and empty frames, as (box, score, label)."""
    corner = st.integers(0, 6).map(lambda n: 4.0 * n)
    side = st.sampled_from([0.0, 4.0, 8.0, 8.0, 12.0])
    box = st.tuples(corner, corner, side, side).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
    score = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
    frame = st.lists(st.tuples(box, score, st.integers(0, 1)), max_size=5)
    return [sorted(each, key=lambda item: -item[1]) for each in draw(st.lists(frame, max_size=7))]


overlaps = st.sampled_from([0.0, 0.3, 0.5, 1.0])


def as_detections(video):
    return [
        Detections(
            np.array([item[0] for item in frame]).reshape(-1, 4),
            [item[1] for item in frame],
            np.array([item[2] for item in frame], np.int64),
        )
        for frame in video
    ]


def as_rows(found):
    """Return detections as a sorted list of (box, score, label), for boxes may be equal."""
    return sorted(zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True))


def as_float32(rows):
    return as_rows(as_detections([rows])[0])


def rounded(found):
    return [round(float(score), 4) for score in found.scores]


def is_by_falling_score(found):
    return (np.diff(found.scores) <= 0).all()


def run_online(video, **settings):
    matcher = SeqBboxMatcher(SeqBboxConfig(**settings))
    return [matcher.update(found) for found in as_detections(video)]


# the same as the step-by-step version


@given(videos(), overlaps)
def test_boxes_are_matched_by_the_smallest_distance(video, min_iou):
    frames = as_detections(video)
    for place in range(len(video) - 1):
        wanted = match_frames(video[place], video[place + 1], min_iou)
        assert list(map(tuple, match_boxes(frames[place], frames[place + 1], min_iou).tolist())) == wanted


@given(videos(), overlaps)
def test_online_scores_are_those_of_the_step_by_step_version(video, min_iou):
    for frame, new, found in zip(video, online(video, min_iou), run_online(video, min_iou=min_iou), strict=True):
        wanted = [(box, score, label) for (box, _, label), score in zip(frame, new, strict=True)]
        assert as_rows(found) == as_float32(wanted)


@given(videos(), overlaps, st.integers(0, 4))
def test_offline_boxes_are_those_of_the_step_by_step_version(video, min_iou, max_gap):
    kept, missed = offline(video, min_iou, max_gap)
    found = seq_bbox(as_detections(video), SeqBboxConfig(min_iou=min_iou, max_gap=max_gap))
    assert len(found) == len(video)
    for have, there, put in zip(found, kept, missed, strict=True):
        assert as_rows(have) == as_float32([*there, *put])


# what must hold whatever comes in


@given(videos(), overlaps)
def test_online_loses_and_moves_nothing(video, min_iou):
    for before, after in zip(as_detections(video), run_online(video, min_iou=min_iou), strict=True):
        rows = [sorted(zip(each.boxes.tolist(), each.labels.tolist(), strict=True)) for each in (before, after)]
        assert rows[0] == rows[1]
        assert is_by_falling_score(after)


@given(videos(), st.integers(0, 4))
def test_offline_loses_and_moves_nothing_and_without_gaps_adds_nothing(video, max_gap):
    for before, after in zip(
        as_detections(video), seq_bbox(as_detections(video), SeqBboxConfig(max_gap=max_gap)), strict=True
    ):
        left = list(zip(after.boxes.tolist(), after.labels.tolist(), strict=True))
        for row in zip(before.boxes.tolist(), before.labels.tolist(), strict=True):
            left.remove(row)
        assert max_gap or not left
        assert is_by_falling_score(after)


@given(videos(), st.floats(0, 1, width=32), overlaps)
def test_constant_scores_stay_to_the_last_bit(video, score, min_iou):
    video = [[(box, score, label) for box, _, label in frame] for frame in video]
    for found in [*run_online(video, min_iou=min_iou), *seq_bbox(as_detections(video))]:
        assert (found.scores == np.float32(score)).all()


@given(videos())
def test_what_comes_later_does_not_change_what_online_says(video):
    whole = run_online(video)
    for end in range(len(video)):
        for one, other in zip(run_online(video[:end]), whole, strict=False):
            np.testing.assert_array_equal(one.scores, other.scores)


# by example


def car(x, score, label=2):
    return [x, 0, x + 20, 10], score, label


def test_online_a_lost_object_starts_anew():
    found = run_online([[car(0, 0.8)], [], [car(0, 0.4)], [car(1, 0.2)]])
    assert [rounded(each) for each in found] == [[0.8], [], [0.4], [0.3]]
    assert [each.lengths.tolist() for each in found] == [[1], [], [1], [2]]


def test_after_a_reset_nothing_is_remembered():
    matcher = SeqBboxMatcher()
    (frame,) = as_detections([[car(0, 0.8)]])
    matcher.update(frame)
    matcher.reset()
    assert matcher.update(frame).lengths.tolist() == [1]


def test_offline_a_gap_is_filled_as_far_as_it_may_be_long():
    video = [[car(0, 0.9)], [], [], [car(6, 0.6)]]
    whole = seq_bbox(as_detections(video), SeqBboxConfig(max_gap=2))
    assert [each.boxes[:, 0].tolist() for each in whole] == [[0], [2], [4], [6]]
    assert [rounded(each) for each in whole] == [[0.75]] * 4
    assert [each.lengths.tolist() for each in whole] == [[1], [2], [3], [4]]
    apart = seq_bbox(as_detections(video), SeqBboxConfig(max_gap=1))
    assert [rounded(each) for each in apart] == [[0.9], [], [], [0.6]]


def test_the_score_decides_between_boxes_that_overlap_alike():
    found = run_online([[car(0, 0.9)], [car(5, 0.7), car(-5, 0.3)]])
    assert rounded(found[1]) == [0.8, 0.3]


def test_classes_are_apart():
    video = [[car(0, 0.9, 1)], [car(0, 0.5, 2)], [car(0, 0.7, 1)]]
    assert [rounded(each) for each in run_online(video)] == [[0.9], [0.5], [0.7]]
    middle = seq_bbox(as_detections(video), SeqBboxConfig(max_gap=1))[1]
    assert middle.labels.tolist() == [1, 2]
    assert rounded(middle) == [0.8, 0.5]


def test_no_frames_are_no_frames():
    assert seq_bbox([]) == []
    assert [len(each) for each in seq_bbox([Detections.empty()] * 3)] == [0, 0, 0]


@pytest.mark.parametrize("settings", [{"min_iou": 1.5}, {"min_iou": -0.1}, {"max_gap": -1}, {"max_gap": 0.5}])
def test_a_setting_outside_its_range_is_refused(settings):
    with pytest.raises(InvalidConfigError, match=next(iter(settings))):
        SeqBboxConfig(**settings)


@pytest.mark.parametrize(("score", "left"), [(np.nan, 0.0), (-0.5, 0.0), (0.5, np.inf)])
def test_numbers_that_are_none_are_refused_and_change_nothing(score, left):
    wrong = Detections([[0, 0, 9, 9]], [0.5], [0])
    wrong.scores[0], wrong.boxes[0, 0] = score, left  # its arrays can be written to
    matcher = SeqBboxMatcher()
    (frame,) = as_detections([[car(0, 0.8)]])
    matcher.update(frame)
    with pytest.raises(InvalidArrayError, match="finite"):
        matcher.update(wrong)
    assert matcher.update(frame).lengths.tolist() == [2]
    with pytest.raises(InvalidArrayError, match="finite"):
        seq_bbox([wrong])


def test_gaps_beyond_all_videos_are_refused_and_class_numbers_may_be_large():
    with pytest.raises(InvalidConfigError, match=r"max_gap is 1000000000000; .* from 0 to 10000"):
        SeqBboxConfig(max_gap=10**12)

    def one(label):
        return Detections([[0, 0, 4, 4]], [0.5], [label])

    large = seq_bbox([one(2**62), Detections.empty(), one(2**62)], SeqBboxConfig(max_gap=10_000))
    assert [found.lengths.tolist() for found in large] == [[1], [2], [3]]

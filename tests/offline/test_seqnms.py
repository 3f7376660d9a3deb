"""Seq-NMS gives what the original gives, what the naive version gives, and has none of the known faults."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.offline.seqnms import SeqNmsConfig, rescore, seq_nms
from heatprop.types import Detections
from reference.seqnms import seq_nms as naive_seq_nms
from reference.seqnms import seq_nms_class

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "seqnms.json").read_text())["videos"]


def rescored(video, **settings):
    """Call `rescore` on `video[frame]`, lists of (box, score, label); return new scores, None where suppressed."""
    rows = [(t, *item) for t, frame in enumerate(video) for item in frame]
    frames, boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), (), ())
    new, kept = rescore(
        np.array(frames, np.int64),
        np.array(labels, np.int64),
        np.array(scores, np.float64),
        np.array(boxes, np.float64).reshape(-1, 4),
        SeqNmsConfig(**settings),
    )
    values = iter([float(score) if stays else None for score, stays in zip(new, kept, strict=True)])
    return [[next(values) for _ in frame] for frame in video]


def objects(*frames):
    """Return `Detections` of one class for each frame, from lists of (x, score): boxes of 20 x 20 at x."""
    return [
        Detections([[x, 0, x + 20, 20] for x, _ in frame], [score for _, score in frame], [0] * len(frame))
        for frame in frames
    ]


def scores_of(found):
    return [[round(float(score), 4) for score in detections.scores] for detections in found]


# the same as the original and as the naive version


@pytest.mark.parametrize("video", GOLDEN)
def test_every_score_is_that_of_the_original_to_the_last_bit(video):
    frames = range(len(video["input"][0]))
    boxes = [
        [(row[:4], row[4], label) for label, rows in enumerate(video["input"]) for row in rows[t]] for t in frames
    ]
    wanted = [[score for scores in video["expected"] for score in scores[t]] for t in frames]
    assert rescored(boxes) == wanted


@pytest.mark.parametrize("video", GOLDEN)
def test_so_is_every_score_of_the_naive_version(video):
    for rows, wanted in zip(video["input"], video["expected"], strict=True):
        boxes = [[row[:4] for row in frame] for frame in rows]
        assert seq_nms_class(boxes, [[row[4] for row in frame] for frame in rows]) == wanted


@st.composite
def videos(draw):
    """Short videos made to be awkward: ties, identical boxes, empty frames, absent classes, chains and clutter."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["crowd", "same", "row", "row", "moving", "clutter"]))
    ties = draw(st.booleans())
    most = draw(st.sampled_from([1, 3, 8]))
    classes = draw(st.sampled_from([1, 3]))
    tracks = random.uniform(0, 60, (most, 2))
    video = []
    for t in range(draw(st.integers(0, 9))):
        frame = []
        for i in range(0 if draw(st.integers(0, 5)) == 0 else random.integers(0, most + 1)):
            corner, side = {
                "crowd": (random.uniform(0, 20, 2), random.uniform(8, 16, 2)),
                "same": (np.zeros(2), np.full(2, 9.0)),
                # Links and rivals to both sides, so that what is left of one path decides about the next.
                "row": (np.array([random.integers(0, 9) * 3.0, 0]), np.full(2, 9.0)),
                "moving": (tracks[i] + 2 * t + random.normal(0, 1, 2), np.full(2, 15.0)),
                "clutter": (random.uniform(0, 200, 2), random.uniform(-2, 20, 2)),
            }[kind]
            score = random.choice([0.0, 0.001, 0.25, 0.5, 0.5, 1.0]) if ties else random.random()
            box = [*corner.tolist(), *(corner + side).tolist()]
            frame.append((box, float(score), int(random.integers(classes)) * 7))
        video.append(frame)
    return video


choices = st.fixed_dictionaries(
    {
        "link_iou": st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        "suppress_iou": st.sampled_from([0.0, 0.3, 0.8, 1.0]),
        "rescoring": st.sampled_from(["mean", "max"]),
        "min_path_score": st.sampled_from([0.0, 0.01, 0.5]),
    }
) | st.just({})


@settings(max_examples=400)
@given(videos(), choices)
def test_the_incremental_search_equals_the_naive_one_to_the_last_bit(video, chosen):
    assert rescored(video, **chosen) == naive_seq_nms(video, labels=[0, 7, 14], **chosen)


@given(videos(), st.randoms(use_true_random=False))
def test_rows_may_come_in_any_order_of_frames_and_classes(video, shuffle):
    rows = [(t, *item) for t, frame in enumerate(video) for item in frame]
    if not rows:
        return
    mixed = sorted(range(len(rows)), key=lambda row: (shuffle.random(), row))
    # Within a class and frame the order decides between equals, so there it is kept.
    groups = {}
    for row, (t, _, _, label) in enumerate(rows):
        groups.setdefault((t, label), []).append(row)
    waiting = {key: iter(group) for key, group in groups.items()}
    mixed = [next(waiting[rows[row][0], rows[row][3]]) for row in mixed]
    frames, boxes, scores, labels = (
        np.array(column) for column in zip(*(rows[row] for row in mixed), strict=True)
    )
    new, kept = rescore(frames, labels, scores.astype(float), boxes.astype(float))
    wanted = [value for frame in rescored(video) for value in frame]
    assert [float(new[i]) if kept[i] else None for i in range(len(mixed))] == [wanted[row] for row in mixed]


@given(videos())
def test_detections_are_rescored_frame_by_frame_and_sorted(video):
    # float32 once, before both, as Detections hold them
    video = [
        [(np.float32(box).astype(float).tolist(), float(np.float32(score)), label) for box, score, label in frame]
        for frame in video
    ]
    given_ = [
        Detections(
            [box for box, _, _ in frame], [s for _, s, _ in frame], [c for _, _, c in frame], range(len(frame))
        )
        for frame in video
    ]
    found = seq_nms(given_)
    assert len(found) == len(video)
    for before, after, new in zip(given_, found, rescored(video), strict=True):
        left = sorted((i for i, score in enumerate(new) if score is not None), key=lambda i: -new[i])
        assert after.lengths.tolist() == left  # the length of each is its row in the input
        np.testing.assert_array_equal(after.scores, np.float32([new[i] for i in left]))
        np.testing.assert_array_equal(after.boxes, before.boxes[left])
        np.testing.assert_array_equal(after.labels, before.labels[left])


# what it does


def test_a_path_gets_its_mean_and_its_duplicates_go():
    video = objects([(0, 0.9), (8, 0.5)], [(1, 0.3), (9, 0.2)], [(2, 0.9), (10, 0.1)])
    assert scores_of(seq_nms(video)) == [[0.7], [0.7], [0.7]]


def test_or_its_largest_score():
    video = objects([(0, 0.9)], [(1, 0.3)], [(2, 0.6)])
    assert scores_of(seq_nms(video, SeqNmsConfig(rescoring="max"))) == [[0.9], [0.9], [0.9]]


def test_tracklet_lengths_are_kept():
    video = [Detections([[0, 0, 9, 9]], [0.5], [3], [length]) for length in (1, 2, 3)]
    assert [found.lengths.tolist() for found in seq_nms(video)] == [[1], [2], [3]]


def test_the_input_is_not_changed():
    video = objects([(0, 0.9), (8, 0.5)], [(1, 0.3)])
    before = [(found.boxes.copy(), found.scores.copy()) for found in video]
    seq_nms(video)
    for found, (boxes, scores) in zip(video, before, strict=True):
        np.testing.assert_array_equal(found.boxes, boxes)
        np.testing.assert_array_equal(found.scores, scores)


def test_a_missing_frame_ends_a_path():
    video = objects([(0, 0.9)], [(0, 0.5)], [], [(0, 0.3)], [(0, 0.1)])
    assert scores_of(seq_nms(video)) == [[0.7], [0.7], [], [0.2], [0.2]]


def test_without_links_nothing_changes_even_where_boxes_overlap():
    video = objects([(0, 0.9), (2, 0.8)], [], [(0, 0.7), (2, 0.6)])
    assert scores_of(seq_nms(video)) == [[0.9, 0.8], [], [0.7, 0.6]]


def test_a_single_frame_and_no_frame_stay_as_they_are():
    assert scores_of(seq_nms(objects([(0, 0.9), (2, 0.8)]))) == [[0.9, 0.8]]
    assert seq_nms([]) == []


def test_a_side_counts_the_pixel_at_its_end():
    # 2 x 2 pixels, one column apart: IoU 2/6 with the end counted as on paper, 0 for lines without width.
    video = [Detections([[x, 0, x + 1, 1]], [score], [0]) for x, score in ((0, 0.2), (1, 0.4))]
    assert scores_of(seq_nms(video, SeqNmsConfig(link_iou=0.33))) == [[0.3], [0.3]]
    assert scores_of(seq_nms(video, SeqNmsConfig(link_iou=0.34))) == [[0.2], [0.4]]


def test_of_three_boxes_in_a_row_the_outer_ones_may_both_stay():
    # The one in the middle gives way to the left one; that the right one overlaps it, too, changes nothing more.
    video = objects([(9, 0.5), (18, 0.55)], [(0, 0.9), (9, 0.5), (18, 0.55)], [(0, 0.9), (18, 0.55)])
    assert scores_of(seq_nms(video)) == [[0.55], [0.9, 0.55], [0.9, 0.55]]


def test_a_path_whose_beginning_was_taken_waits_for_its_new_turn():
    # With the first frame the right box sums up to 1.2; without it its 0.3 comes after the 0.4 it overlaps.
    video = objects([(0, 0.9)], [(1, 0.9), (7, 0.3), (11, 0.4)], [(11, 0.1)])
    assert scores_of(seq_nms(video, SeqNmsConfig(suppress_iou=0.55))) == [[0.9], [0.9, 0.25], [0.25]]


def test_weak_paths_are_left_alone():
    video = objects([(0, 0.004)], [(0, 0.002)])
    assert scores_of(seq_nms(video)) == [[0.004], [0.002]]
    assert scores_of(seq_nms(video, SeqNmsConfig(min_path_score=0.0))) == [[0.003], [0.003]]
    video = objects([(0, 0.5)], [(0, 0.25)])
    assert scores_of(seq_nms(video, SeqNmsConfig(min_path_score=0.75))) == [[0.375], [0.375]]
    assert scores_of(seq_nms(video, SeqNmsConfig(min_path_score=0.76))) == [[0.5], [0.25]]


# known faults of other versions


def test_a_best_path_of_one_box_does_not_end_it():
    video = objects([(0, 0.3), (100, 1.0)], [(0, 0.5)])
    assert scores_of(seq_nms(video)) == [[1.0, 0.4], [0.4]]


def test_a_rescored_box_enters_no_later_path():
    # The second track touches the first in the middle frame only; it must not borrow its box.
    video = objects([(0, 0.9), (8, 0.6)], [(4, 0.9)], [(8, 0.9), (0, 0.6)])
    assert scores_of(seq_nms(video, SeqNmsConfig(suppress_iou=0.9))) == [[0.9, 0.6], [0.9], [0.9, 0.6]]


def test_suppressed_boxes_are_removed():
    video = objects([(0, 0.9), (1, 0.8)], [(0, 0.9), (1, 0.8)])
    assert [len(found) for found in seq_nms(video)] == [1, 1]


def test_a_suppressed_box_enters_no_path_either():
    # The duplicate at 12 is linked to a track of its own that goes on after it.
    video = objects([(0, 0.9)], [(0, 0.9), (9, 0.5)], [(15, 0.4)], [(15, 0.2)])
    assert scores_of(seq_nms(video)) == [[0.9], [0.9], [0.3], [0.3]]


def test_classes_without_detections_and_frames_without_any_are_no_trouble():
    empty = Detections.empty()
    assert [len(found) for found in seq_nms([empty, empty, empty])] == [0, 0, 0]
    video = [empty, Detections([[0, 0, 9, 9]] * 2, [0.4, 0.2], [5, 900]), empty]
    assert scores_of(seq_nms(video)) == [[], [0.4, 0.2], []]


def test_classes_do_not_touch():
    video = [Detections([[0, 0, 20, 20]] * 2, [0.9, 0.2], [0, 1]) for _ in range(2)]
    assert scores_of(seq_nms(video)) == [[0.9, 0.2], [0.9, 0.2]]


# bad input


@pytest.mark.parametrize("score", [np.nan, np.inf, -0.1])
def test_a_score_that_is_none_is_refused_with_its_frame(score):
    video = [Detections.empty(), Detections([[0, 0, 9, 9]], [0.5], [0])]
    video[1].scores[0] = score  # `Detections` refuses it, but its arrays can be written to
    with pytest.raises(InvalidArrayError, match=r"score of a detection in frame 1 is .* remove it"):
        seq_nms(video)


@pytest.mark.parametrize("side", [np.nan, np.inf])
def test_so_is_a_box_that_is_not_finite(side):
    video = [Detections([[0, 0, 9, 9]], [0.5], [0])]
    video[0].boxes[0, 3] = side
    with pytest.raises(InvalidArrayError, match=r"box of a detection in frame 0 is .* must be finite") as caught:
        seq_nms(video)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"link_iou": 1.1},
        {"suppress_iou": -0.1},
        {"min_path_score": np.nan},
        {"link_iou": "0.5"},
        {"rescoring": "sum"},
    ],
)
def test_a_setting_out_of_range_is_named(setting):
    (name,) = setting
    with pytest.raises(InvalidConfigError, match=f"^{name} is .* it must be"):
        SeqNmsConfig(**setting)

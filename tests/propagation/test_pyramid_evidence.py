"""Dense heads of several strides are evidence: an object that answers in many cells is one, and stays one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop import HeatmapPropagator, PropagationConfig
from heatprop.errors import InvalidArrayError
from heatprop.propagation import BoxEvidence, PyramidEvidence
from heatprop.types import Detections, HeadOutput, PyramidOutput
from reference import pyramid
from same_detections import assert_same_detections

PAPER, ADAPTIVE = PropagationConfig.paper(), PropagationConfig.adaptive()
FORMS = pytest.mark.parametrize("config", [PAPER, ADAPTIVE], ids=["paper", "adaptive"])
STRIDES = (8, 16, 32)
HEIGHT, WIDTH = 64, 128
BOX = (36.0, 12.0, 76.0, 52.0)


def empty(classes=2, strides=STRIDES):
    levels = []
    for stride in strides:  # each cell sees itself
        grid = (HEIGHT // stride, WIDTH // stride)
        halves = [np.full((count, *grid), 0.5, np.float32) for count in (4, 2)]
        levels.append(HeadOutput(np.zeros((classes, *grid), np.float32), *halves))
    return PyramidOutput(levels, strides)


def seen(*answers, output=None):
    """Return a pyramid in which cells answer: (level, row, column, score, box) of class 0, or with a class."""
    output = output or empty()
    for level, row, column, score, box, *label in answers:
        head, stride = output.levels[level], output.strides[level]
        head.heatmap[label[0] if label else 0, row, column] = score
        left, top, right, bottom = (side / stride for side in box)
        x, y = column + 0.5, row + 0.5
        head.size[:, row, column] = x - left, y - top, right - x, bottom - y
    return output


def moved(box, dx, dy=0.0):
    return (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)


# one object: two cells of stride 8, one of 16 and one of 32 see it, each a little off
ONE = ((0, 3, 6, 0.4, moved(BOX, 1)), (0, 4, 7, 0.35, BOX), (1, 1, 3, 0.8, BOX), (2, 0, 1, 0.5, moved(BOX, 2)))


def over(config, frames):
    propagator = HeatmapPropagator(config)
    results = []
    for frame in frames:
        results.append(propagator.update(frame))
    return results


# one object


@FORMS
def test_an_object_that_answers_in_several_cells_and_strides_is_one(config):
    for step, found in enumerate(over(config, [seen(*ONE)] * 5)):
        np.testing.assert_allclose(found.boxes, [BOX], atol=0.01)
        assert (found.labels.tolist(), found.lengths.tolist()) == ([0], [step + 1])
        assert found.scores.tolist() == pytest.approx([0.8])
        assert found.track_ids.tolist() == [0]


def test_it_is_one_peak_without_any_suppression():
    assert len(over(replace(ADAPTIVE, nms_iou=1.0), [seen(*ONE)] * 4)[-1]) == 1


@FORMS
def test_an_object_that_wanders_from_stride_to_stride_keeps_its_id(config):
    frames = []
    for step in range(16):  # it comes nearer: it grows from 12 to 60 pixels, and coarser and coarser cells see it
        half = 6.0 + 1.6 * step
        box = (56 - half, 32 - half, 56 + half, 32 + half)
        shares = [max(0.0, 1 - abs(level - step / 7.5)) for level in range(3)]
        frames.append(
            seen(*((i, r, c, 0.8 * shares[i], box) for i, r, c in ((0, 4, 7), (1, 2, 3), (2, 1, 1)) if shares[i]))
        )
    for step, found in enumerate(over(config, frames)):
        assert found.track_ids.tolist() == [0]
        assert found.lengths.tolist() == [step + 1]


@FORMS
def test_an_object_that_all_strides_miss_is_held_and_comes_back_as_itself(config):
    *_, missed, back = over(config, [seen(*ONE)] * 4 + [empty(), seen(*ONE)])
    assert (missed.track_ids.tolist(), missed.lengths.tolist()) == ([0], [5])
    np.testing.assert_allclose(missed.boxes, [BOX], atol=0.01)
    assert 0.3 < missed.scores[0] < 0.8
    assert (back.track_ids.tolist(), back.lengths.tolist()) == ([0], [6])


def test_a_lowered_object_is_not_shown_again_by_the_cells_around_it():
    faint = tuple((*answer[:3], 0.2 * answer[3], answer[4]) for answer in ONE)
    *_, found = over(replace(ADAPTIVE, nms_iou=1.0), [seen(*faint)] * 4 + [seen(*ONE)])
    assert len(found) == 1
    assert found.scores[0] < 0.8


def test_neighbours_that_see_two_objects_are_two_peaks():
    crowd = seen((1, 1, 3, 0.8, BOX), (1, 1, 4, 0.7, moved(BOX, 25)))
    *_, found = over(ADAPTIVE, [crowd] * 3)
    assert sorted(found.track_ids.tolist()) == [0, 1]


def test_the_same_place_may_be_of_two_classes():
    *_, found = over(ADAPTIVE, [seen((1, 1, 3, 0.8, BOX), (1, 1, 3, 0.6, BOX, 1))] * 2)
    assert found.labels.tolist() == [0, 1]


def test_nothing_seen_is_nothing_found():
    evidence = PyramidEvidence(empty())
    assert len(evidence.scores) == len(evidence.peaks(0.05, 3, None)) == 0
    assert evidence.beside(np.empty(0, np.int64)).sites.shape == (0, 1)


# limits


def test_the_best_cells_are_sites_and_those_without_area_are_none():
    output = seen(*ONE, (0, 0, 0, 0.9, (5, 5, 5, 9)), (0, 7, 9, 0.04, BOX))
    assert PyramidEvidence(output).scores.tolist() == np.float32([0.8, 0.5, 0.4, 0.35]).tolist()
    assert len(PyramidEvidence(output, floor=0.01).scores) == 5
    assert PyramidEvidence(seen(*ONE), most=2).scores.tolist() == np.float32([0.8, 0.5]).tolist()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((0, 1, 2, 1.5, BOX), r"heatmap is 1\.5"),
        ((0, 1, 2, np.nan, BOX), "heatmap is nan"),
        ((0, 1, 2, -0.5, BOX), r"heatmap is -0\.5"),
        (
            (1, 1, 2, 0.5, (np.nan, 0, 1, 1)),
            r"stride 16 is not finite at \(row, column\) \(1, 2\)",
        ),
        ((1, 1, 2, 0.5, (0, 0, np.inf, 1)), r"size or offset of stride 16 is not finite"),
    ],
)
def test_what_cannot_be_is_refused(answer, message):
    with pytest.raises(InvalidArrayError, match=message):
        PyramidEvidence(seen(*ONE, answer))


def test_what_is_given_stays_as_it_is():
    output, wanted = seen(*ONE), seen(*ONE)
    over(ADAPTIVE, [output, output])
    for level, other in zip(output.levels, wanted.levels, strict=True):
        np.testing.assert_array_equal(level.heatmap, other.heatmap)
        np.testing.assert_array_equal(level.size, other.size)


# counter-examples are sought


@st.composite
def pyramids(draw, most=10):
    strides = draw(st.sampled_from([(8,), (8, 16), (8, 16, 32), (8, 32), (4, 8)]))
    output = empty(2, strides)
    for _ in range(draw(st.integers(0, most))):
        level = draw(st.integers(0, len(strides) - 1))
        height, width = output.levels[level].grid
        row, column = draw(st.integers(0, min(height, 5) - 1)), draw(st.integers(0, min(width, 5) - 1))
        left, top = draw(st.integers(0, 6)), draw(st.integers(0, 6))
        box = (left, top, left + draw(st.integers(0, 24)), top + draw(st.integers(8, 24)))
        score = draw(st.sampled_from([0.04, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0]))
        seen((level, row, column, score, box, draw(st.integers(0, 1))), output=output)
    return output


@given(pyramids())
@settings(max_examples=300)
def test_sites_neighbours_and_peaks_are_what_loops_over_all_pairs_find(output):
    evidence, wanted = PyramidEvidence(output), pyramid.sites(output, 0.05)
    every = np.arange(len(wanted))
    assert evidence.scores.tolist() == [site["score"] for site in wanted]
    assert evidence.places(every)[0].tolist() == [site["label"] for site in wanted]
    boxes = evidence.boxes(every, evidence.places(every)[1], evidence.sizes(every))
    np.testing.assert_array_equal(boxes, np.array([site["box"] for site in wanted]).reshape(-1, 4))
    assert evidence.peaks(0.05, 3, None).tolist() == pyramid.peaks(wanted, output.strides)
    near = evidence.beside(every)
    found = [row[within].tolist() for row, within in zip(near.sites, near.within, strict=True)]
    assert [row[0] for row in found] == every.tolist()
    assert [sorted(row[1:]) for row in found] == [sorted(each) for each in pyramid.beside(wanted, output.strides)]


@given(st.lists(pyramids(), max_size=5), st.sampled_from([PAPER, ADAPTIVE]))
def test_ids_are_unique_and_results_come_by_falling_score(frames, config):
    frames = [frame for frame in frames if frame.strides == frames[0].strides]
    for found in over(config, frames):
        assert len(set(found.track_ids.tolist())) == len(found)
        assert (np.diff(found.scores) <= 0).all()
        assert (found.scores >= np.float32(config.score_threshold)).all()


@given(st.lists(pyramids(most=4), max_size=5), st.sampled_from([PAPER, ADAPTIVE]))
def test_where_no_cells_are_neighbours_it_is_boxes_before_suppression(frames, config):
    frames = [frame for frame in frames if frame.strides == frames[0].strides]
    boxes, pyramids_ = HeatmapPropagator(config), HeatmapPropagator(config)
    for frame in frames:
        sites = pyramid.sites(frame, 0.05)
        if any(pyramid.beside(sites, frame.strides)):
            break
        listed = Detections(
            np.array([site["box"] for site in sites]).reshape(-1, 4),
            [site["score"] for site in sites],
            np.array([site["label"] for site in sites], np.int64),
        )
        assert_same_detections(
            pyramids_.update(PyramidEvidence(frame)), boxes.update(BoxEvidence(listed, frame.input_size))
        )


# what a pyramid is


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strides": (16, 8, 32)}, "strides are"),
        ({"strides": (8, 12, 32)}, "strides are"),
        ({"strides": (8, 16)}, "3 levels of 2 strides"),
        ({"levels": [*empty().levels[:2], empty(classes=3).levels[2]]}, r"levels have \[2, 3\] classes"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(change, message):
    with pytest.raises(InvalidArrayError, match=message):
        replace(empty(), **change)


def test_a_pyramid_says_how_large_the_input_was():
    assert empty().input_size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("components", [2, 4])
def test_boxes_are_those_of_the_heads_times_the_stride(components):
    levels = [HeadOutput(np.zeros((1, *grid)), np.full((components, *grid), 2.0)) for grid in ((8, 16), (4, 8))]
    levels[1].heatmap[0, 2, 3] = 0.9
    found = HeatmapPropagator(PAPER).update(PyramidOutput(levels, [8, 16]))
    half = 1 if components == 2 else 2
    assert found.boxes.tolist() == [[16.0 * side for side in (3 - half, 2 - half, 3 + half, 2 + half)]]


def test_who_leaves_the_image_among_its_padding_fades():
    """The image covers the left half of the input: an object that has run out of it is not held."""
    runs = [seen((0, 3, 1 + step, 0.9, (8 + 8 * step, 20, 24 + 8 * step, 40))) for step in range(6)]
    held = []
    for area in (None, (0, 0, WIDTH / 2, HEIGHT)):
        propagator = HeatmapPropagator(ADAPTIVE)
        for frame in runs:
            propagator.update(frame, image_area=area)
        held.append(propagator.update(empty(), image_area=area).scores.max(initial=0))
    assert held[1] == pytest.approx(0.5 * held[0])

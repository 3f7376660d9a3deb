"""Where nothing is hidden, trembles or goes around an end, `supervision` counts the same: in is right to left."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heatprop.counting import LineCounter, ZoneCounter
from heatprop.types import Detections

sv = pytest.importorskip("supervision", reason="the extra supervision is not installed")

DEV = Path("/work/shared/data/real-video-dev")
SIDE = 20.0
START, END = (0, 50), (100, 50)
# Clear of the line, and between its ends.
clear = st.tuples(st.integers(15, 85), st.integers(0, 46) | st.integers(54, 100))


def at(places: list[tuple[float, float]]) -> Detections:
    boxes = [[x - SIDE / 2, y - SIDE, x + SIDE / 2, y] for x, y in places]
    count = len(places)
    return Detections(np.reshape(boxes, (-1, 4)), np.ones(count), [0] * count, track_ids=np.arange(count))


def line_zone(start: tuple[float, float], end: tuple[float, float]):
    anchors = [sv.Position.BOTTOM_CENTER]
    return sv.LineZone(sv.Point(*start), sv.Point(*end), triggering_anchors=anchors)


@given(st.lists(st.tuples(clear, clear, clear), max_size=20))
def test_crossings_are_its_own(scene) -> None:
    ours, theirs = LineCounter(START, END), line_zone(START, END)
    for places in scene:
        detections = at(list(places))
        crossed = ours.update(detections)
        their_in, their_out = theirs.trigger(detections.to_supervision())
        np.testing.assert_array_equal(crossed, their_out.astype(int) - their_in.astype(int))


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=20))
def test_who_is_in_a_zone_is_so_in_its_own(places) -> None:
    corners = [(10, 10), (90, 20), (70, 80), (50, 40), (20, 90)]
    contour = np.array(corners)
    # It paints the zone, so that what stands on the border is in or out as pixels fall.
    assume(all(min_distance(place, corners) > 1.5 for place in places))
    theirs = sv.PolygonZone(contour).trigger(at(places).to_supervision())
    np.testing.assert_array_equal(ZoneCounter(corners).update(at(places)), theirs)


def min_distance(place: tuple[int, int], corners: list[tuple[int, int]]) -> float:
    distances = []
    for number, end in enumerate(corners):
        start, point = np.array(corners[number - 1], float), np.array(place, float)
        along = np.array(end) - start
        share = np.clip(np.dot(point - start, along) / np.dot(along, along), 0, 1)
        distances.append(np.linalg.norm(point - start - share * along))
    return float(min(distances))


def test_on_the_annotated_paths_of_real_people() -> None:
    """Ten people on a square, through the middle of the image."""
    if not DEV.is_dir():
        pytest.skip("the real clips are not on this machine")
    said = json.loads((DEV / "annotations.json").read_text())
    (video,) = [each for each in said["videos"] if each["name"].startswith("pets09")]
    frame_of = {each["id"]: each["frame_id"] for each in said["images"] if each["video_id"] == video["id"]}
    frames: dict[int, list[tuple[int, list[float]]]] = {}
    for each in said["annotations"]:
        if each["image_id"] in frame_of:
            x, y, width, height = each["bbox"]
            seen = each["instance_id"], [x, y, x + width, y + height]
            frames.setdefault(frame_of[each["image_id"]], []).append(seen)
    middle = (video["width"] / 2, video["height"]), (video["width"] / 2, 0)
    ours, theirs = LineCounter(*middle), line_zone(*middle)
    for index in sorted(frames):
        ids, boxes = zip(*frames[index], strict=True)
        detections = Detections(boxes, np.ones(len(ids)), [0] * len(ids), track_ids=ids)
        ours.update(detections)
        theirs.trigger(detections.to_supervision())
    assert (sum(ours.left_to_right.values()), sum(ours.right_to_left.values())) == (2, 7)
    assert (theirs.out_count, theirs.in_count) == (2, 7)

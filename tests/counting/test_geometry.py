"""Points, lines and polygons, against fractions and OpenCV."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heatprop.counting.geometry import (
    anchors_of,
    check_line,
    check_polygon,
    distances_to,
    lie_in,
    passes,
)
from heatprop.errors import InvalidConfigError
from reference.counting import is_within, passings, side_of

whole = st.integers(-8, 8)
points = st.tuples(whole, whole)
polygons = st.lists(points, min_size=3, max_size=7)


def cross_somewhere(corners: list[tuple[int, int]]) -> bool:
    """Whether sides of a polygon have more in common than the corners between them."""
    sides = [(corners[place - 1], corner) for place, corner in enumerate(corners)]
    if any(one == other for one, other in sides):
        return True
    for place, one in enumerate(sides):
        for later in range(place + 1, len(sides)):
            other = sides[later]
            shared = [corner for corner in one if corner in other]
            is_next = later == place + 1 or (place == 0 and later == len(sides) - 1)
            if is_next and len(shared) == 1:
                (free,) = (corner for corner in one if corner not in shared)
                (far,) = (corner for corner in other if corner not in shared)
                if side_of(free, *other) == 0 and (is_within(free, *other) or is_within(far, *one)):
                    return True
            elif (
                shared
                or any(
                    side_of(end, *segment) == 0 and is_within(end, *segment)
                    for segment, ends in ((one, other), (other, one))
                    for end in ends
                )
                or (passings(other, *one) and passings(one, *other))
            ):
                return True
    return False


@given(points, points, points, points)
def test_a_step_passes_a_segment_as_fractions_say(before, now, start, end) -> None:
    assume(start != end)
    assert [passes(before, now, start, end)] == (passings([before, now], start, end) or [0])


@given(points, points, points)
def test_distances_are_those_of_feet_and_left_is_below_zero(point, start, end) -> None:
    assume(start != end)
    (distance,) = distances_to(np.array([point], float), start, end)
    along = np.subtract(end, start)
    foot = start + along * np.dot(np.subtract(point, start), along) / np.dot(along, along)
    assert abs(distance) == pytest.approx(np.linalg.norm(np.subtract(point, foot)), abs=1e-9)
    assert np.sign(np.round(distance, 9)) == np.sign(side_of(point, start, end))


def test_left_of_a_line_to_the_right_is_above_it() -> None:
    assert distances_to(np.array([[5.0, -1.0]]), (0, 0), (10, 0)) == -1


@given(polygons, st.lists(points, max_size=20))
def test_points_lie_in_a_polygon_as_opencv_says(corners, where) -> None:
    assume(not cross_somewhere(corners))
    contour = np.array(corners, np.int32)
    wanted = [cv2.pointPolygonTest(contour, tuple(map(float, point)), False) >= 0 for point in where]
    found = lie_in(np.array(where, float).reshape(-1, 2), np.array(corners, float))
    assert found.tolist() == wanted


@given(polygons)
def test_a_polygon_is_refused_where_its_sides_cross_or_touch(corners) -> None:
    if cross_somewhere(corners):
        with pytest.raises(InvalidConfigError, match=r"crosses itself|twice in a row"):
            check_polygon(corners)
    else:
        check_polygon(corners)


@pytest.mark.parametrize("corners", [[], [(0, 0)], [(0, 0), (4, 4)]])
def test_a_zone_has_three_points(corners) -> None:
    with pytest.raises(InvalidConfigError, match=f"{len(corners)} points; give three or more"):
        check_polygon(corners)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (((3, 4), (3, 4)), "begins and ends at 3,4"),
        (((0, 0), (float("nan"), 1)), "finite"),
        (((0, 0), (float("inf"), 1)), "finite"),
        (((0, 0), (1,)), "give x and y"),
        (((0, 0), ("a", 1)), "give x and y"),
    ],
)
def test_a_line_without_a_direction_is_refused(line, message) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        check_line(*line)


def test_anchors_of_no_boxes() -> None:
    assert anchors_of(np.empty((0, 4), np.float32), "bottom").shape == (0, 2)
    assert lie_in(np.empty((0, 2)), np.array([[0.0, 0], [1, 0], [0, 1]])).shape == (0,)

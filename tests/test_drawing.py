"""Drawing changes a copy, near the boxes only, and whatever the boxes are."""

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heatprop.counting import LineCounter, ZoneCounter
from heatprop.drawing import PALETTE, Trails, colour_of, draw, draw_counts, side_by_side
from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.types import Detections

CLASSES = ("person", "bicycle", "car")


def grey(height: int = 272, width: int = 640) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def one(box: list[float], label: int = 0, length: int = 9) -> Detections:
    return Detections([box], [0.87], [label], [length])


def test_the_input_is_untouched_and_the_result_is_a_new_image_of_the_same_shape() -> None:
    image = grey()
    image.flags.writeable = False
    drawn = draw(image, one([100, 100, 200, 180]), CLASSES)
    assert (image == 128).all()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert not np.shares_memory(image, drawn)


def test_no_objects_leave_the_image_as_it_is() -> None:
    np.testing.assert_array_equal(draw(grey(), Detections.empty(), CLASSES), grey())


def test_only_the_box_and_its_tag_change() -> None:
    changed = (draw(grey(), one([100, 100, 200, 180]), CLASSES) != 128).any(axis=2)
    assert changed[140, 100]
    assert changed[140, 200]
    assert changed[180, 150]
    assert not changed[120:175, 110:190].any()
    far = changed.copy()
    far[75:185, 95:205] = False
    assert not far.any()


def test_sides_have_the_colour_of_the_class() -> None:
    for label in range(3):
        drawn = draw(grey(), one([100, 100, 200, 180], label), CLASSES)
        assert tuple(drawn[150, 100]) == colour_of(label)


def test_colours_are_steady_distinct_and_never_run_out() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
    assert colour_of(0) == colour_of(len(PALETTE))
    assert colour_of(7999) in PALETTE


@pytest.mark.parametrize("size", [(272, 640), (1080, 1920), (120, 160)])
def test_lines_grow_with_the_image(size: tuple[int, int]) -> None:
    height, width = size
    drawn = draw(grey(height, width), one([width * 0.3, height * 0.3, width * 0.7, height * 0.9]), CLASSES)
    line = (drawn[round(height * 0.6), : width // 2] == colour_of(0)).all(axis=1).sum()
    assert line == {120: 1, 272: 3, 1080: 5}[height]


def test_new_objects_have_a_thin_line_when_asked() -> None:
    def line(length: int, mark_new: bool) -> int:
        drawn = draw(grey(), one([100, 100, 200, 180], length=length), CLASSES, mark_new=mark_new)
        return int((drawn[150, :150] == colour_of(0)).all(axis=1).sum())

    assert line(1, mark_new=True) < line(9, mark_new=True)
    assert line(1, mark_new=False) == line(9, mark_new=False)


def tracked(*ids: int) -> Detections:
    boxes = [[100 * row + 20, 100, 100 * row + 90, 200] for row in range(len(ids))]
    return Detections(boxes, [0.87] * len(ids), [0] * len(ids), [9] * len(ids), ids)


def test_ids_change_tags_and_nothing_else_and_an_object_without_one_has_none() -> None:
    plain, numbered = draw(grey(), tracked(3), CLASSES), draw(grey(), tracked(3), CLASSES, draw_ids=True)
    assert (plain != numbered).any()
    np.testing.assert_array_equal(plain[101:], numbered[101:])
    assert (numbered[75:100] != 128).any(axis=(0, 2)).sum() > (plain[75:100] != 128).any(axis=(0, 2)).sum()
    np.testing.assert_array_equal(
        draw(grey(), tracked(-1), CLASSES, draw_ids=True), draw(grey(), tracked(-1), CLASSES)
    )


def test_an_image_too_narrow_for_score_and_id_shows_the_id() -> None:
    image = grey(100, 84)
    narrow = Detections([[10, 40, 70, 90]], [0.87], [0], [9], [12])
    without_score = draw(image, narrow, ["person #12"])
    np.testing.assert_array_equal(draw(image, narrow, CLASSES, draw_ids=True), without_score)


def test_colours_by_id_are_steady_and_differ_for_neighbouring_ids() -> None:
    def sides(*ids: int) -> list[tuple[int, ...]]:
        drawn = draw(grey(), tracked(*ids), CLASSES, colour_by="id")
        return [tuple(drawn[150, 100 * row + 20].tolist()) for row in range(len(ids))]

    assert sides(540, 541, 542, 543) == [colour_of(number) for number in range(540, 544)]
    assert sides(543, 540) == [colour_of(543), colour_of(540)]
    assert sides(-1) == [colour_of(0)]


@given(st.integers(0, 2**40), st.integers(1, len(PALETTE) - 1))
def test_neighbouring_ids_have_colours_that_are_far_apart(number: int, further: int) -> None:
    pair = np.float32([[colour_of(number), colour_of(number + further)]]) / np.float32(255)
    one, other = cv2.cvtColor(pair, cv2.COLOR_RGB2LAB)[0]
    assert np.linalg.norm(one - other) > (33 if further <= 3 else 23)  # 2.3 is just noticeable


@pytest.mark.parametrize(
    "box",
    [
        [-50, -60, 80, 90],
        [600, 200, 900, 400],
        [-1e9, -1e9, 1e9, 1e9],
        [300, -40, 340, 10],
        [639, 271, 639, 271],
    ],
)
def test_boxes_partly_outside_are_cut_and_keep_their_tag_inside(box: list[float]) -> None:
    drawn = draw(grey(), one(box), CLASSES)
    assert (drawn == colour_of(0)).all(axis=2).sum() > 200


def test_boxes_wholly_outside_are_not_drawn() -> None:
    outside = Detections([[700, 10, 800, 20], [10, -90, 50, -20]], [0.9, 0.8], [0, 1])
    np.testing.assert_array_equal(draw(grey(), outside, CLASSES), grey())


def test_tags_of_one_place_do_not_hide_each_other() -> None:
    box = [200, 100, 400, 200]
    drawn = draw(grey(), Detections([box, box], [0.9, 0.8], [0, 1]), CLASSES)
    for label in (0, 1):
        assert (drawn == colour_of(label)).all(axis=2).sum() > 300


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (8, 8), (16, 30)])
def test_tiny_images_are_drawn_on(size: tuple[int, int]) -> None:
    drawn = draw(grey(*size), one([0, 0, size[1], size[0]]), CLASSES)
    assert drawn.shape == (*size, 3)


coordinates = st.floats(-2000, 2000, width=32)


@given(
    boxes=st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=12),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
)
def test_any_finite_boxes_can_be_drawn(boxes: list[tuple[float, ...]], height: int, width: int) -> None:
    count = len(boxes)
    detections = Detections(boxes, np.linspace(1, 0, count), np.arange(count) % 3)
    assert draw(grey(height, width), detections, CLASSES).shape == (height, width, 3)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_without_a_name_is_an_error(label: int) -> None:
    with pytest.raises(InvalidArrayError, match=f"label {label} .*3 classes"):
        draw(grey(), one([1, 1, 9, 9], label), CLASSES)


def test_what_is_no_image_is_an_error() -> None:
    with pytest.raises(InvalidArrayError, match="shape"):
        draw(np.zeros((5, 5), np.uint8), Detections.empty(), CLASSES)


def test_side_by_side_keeps_both_images_except_at_seam_and_captions() -> None:
    left, right = np.full((272, 640, 3), 60, np.uint8), np.full((272, 500, 3), 200, np.uint8)
    both = side_by_side(left, right, ("alone", "with"))
    assert both.shape == (272, 1140, 3)
    assert (both[:200, :630] == 60).all()
    assert (both[:200, 650:] == 200).all()
    assert (both[220:, :630] != 60).any()
    assert (both[220:, 650:] != 200).any()


def test_side_by_side_wants_one_height() -> None:
    with pytest.raises(InvalidArrayError, match="heights 10 and 12"):
        side_by_side(grey(10, 20), grey(12, 20))


def test_side_by_side_of_tiny_images_leaves_captions_out() -> None:
    assert side_by_side(grey(2, 2), grey(2, 2), ("network alone", "both")).shape == (2, 4, 3)


def test_lines_and_zones_are_drawn_with_their_numbers_on_a_copy() -> None:
    image = grey()
    door, hall = LineCounter((320, 200), (320, 60)), ZoneCounter([(40, 80), (200, 80), (200, 220), (40, 220)])
    drawn = draw_counts(image, {"door": door}, {"hall": hall})
    assert (image == 128).all()
    assert (drawn[70:100, 320] > 200).all()
    assert (drawn[220, 60:180] > 200).all()
    assert (drawn[240:, :] == 128).all()
    for x in (290, 350):
        for counter in (door, hall):
            counter.update(Detections([[x - 10, 100, x + 10, 150]], [0.9], [0], track_ids=[1]))
    changed = (draw_counts(image, {"door": door}, {"hall": hall}) != drawn).any(axis=2)
    assert changed[:, 340:].any()  # right of the line, as seen walking up
    assert not changed[:, :340].any()


@given(
    start=st.tuples(st.floats(0, 90), st.floats(0, 90)),
    end=st.tuples(st.floats(0, 90), st.floats(0, 90)),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    name=st.text(max_size=20),
)
def test_any_line_can_be_drawn_on_any_image(start, end, height: int, width: int, name: str) -> None:
    assume(start != end)
    assert draw_counts(grey(height, width), {name: LineCounter(start, end)}, {}).shape == (height, width, 3)


def test_no_lines_and_zones_leave_the_image_as_it_is() -> None:
    np.testing.assert_array_equal(draw_counts(grey(), {}, {}), grey())


def widths_of_sides(drawn: np.ndarray) -> list[int]:
    """How many columns the left side of a box takes, without its edge, and how many rows its lower side."""
    ink = (drawn == colour_of(0)).all(axis=2)
    return [int(ink[150, :150].sum()), int(ink[165:, 150].sum())]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 9, 20])
def test_a_line_is_as_wide_as_asked_for(width: int) -> None:
    assert widths_of_sides(draw(grey(), one([100, 100, 200, 180]), CLASSES, line_width=width)) == [width, width]


@pytest.mark.parametrize("width", [0, -1, 101, 2.5, True])
def test_a_width_that_is_none_is_refused(width: object) -> None:
    with pytest.raises(InvalidConfigError, match="line_width is"):
        draw(grey(), tracked(3), CLASSES, line_width=width)  # type: ignore[arg-type]


def test_tags_say_the_parts_asked_for_in_that_order() -> None:
    same = {
        ("name", "id", "score"): ["person #12 87%"],
        ("score", "name"): ["87% person"],
        ("id",): ["#12"],
        ("name", "length"): ["person 9f"],
    }
    for parts, (text,) in same.items():
        wanted = draw(grey(), tracked(12), [text], label_parts=["name"])
        np.testing.assert_array_equal(draw(grey(), tracked(12), CLASSES, label_parts=parts), wanted)
    with pytest.raises(InvalidConfigError, match="'speed' is no part of a tag; those are name, id, score, length"):
        draw(grey(), tracked(12), CLASSES, label_parts=["speed"])  # type: ignore[list-item]


def test_without_parts_there_are_no_tags() -> None:
    bare = draw(grey(), one([100, 100, 200, 180]), CLASSES, label_parts=())
    changed = (bare != 128).any(axis=2)
    assert changed[140, 100]
    assert not changed[:97].any()
    np.testing.assert_array_equal(
        draw(grey(), tracked(-1), CLASSES, label_parts=["id"]), draw(grey(), tracked(-1), CLASSES, label_parts=())
    )


def walked(trails: Trails, number: int, xs: list[int], *, start: float = 0.0) -> Detections:
    """Let an object walk to the right, with its feet at row 200, and return where it is last."""
    for place, x in enumerate(xs):
        last = Detections([[x - 10, 100, x + 10, 200]], [0.9], [0], [9], [number])
        trails.update(start + place, last)
    return last


def test_a_trail_leads_from_where_the_object_was_to_its_feet() -> None:
    trails = Trails(seconds=60)
    last = walked(trails, 7, list(range(100, 401, 20)))
    changed = (draw(grey(), last, CLASSES, trails=trails) != draw(grey(), last, CLASSES)).any(axis=2)
    assert changed[200, 110:380].all()
    assert not changed[:190].any()
    assert not changed[210:].any()
    assert not changed[:, :95].any()


def test_a_trail_forgets_what_is_longer_ago_than_asked_for() -> None:
    trails = Trails(seconds=3)
    walked(trails, 7, list(range(100, 401, 20)))
    assert trails.points(7) == [(x, 200) for x in (340, 360, 380, 400)]
    trails.update(100.0, Detections.empty())
    assert trails.points(7) == []


def test_a_new_id_has_no_trail_and_leads_on_no_other() -> None:
    trails = Trails(seconds=60)
    walked(trails, 7, [100, 120, 140])
    last = walked(trails, 8, [300], start=3.0)  # as behind a cut
    np.testing.assert_array_equal(draw(grey(), last, CLASSES, trails=trails), draw(grey(), last, CLASSES))


def test_what_has_no_id_has_no_trail() -> None:
    trails = Trails(seconds=60)
    last = walked(trails, -1, [100, 120, 140])
    np.testing.assert_array_equal(draw(grey(), last, CLASSES, trails=trails), draw(grey(), last, CLASSES))


def test_trails_of_a_long_video_stay_small() -> None:
    trails = Trails(seconds=1e6)
    walked(trails, 7, [100] * 5000)
    assert len(trails.points(7)) <= 1000


def test_what_will_be_shown_smaller_is_drawn_larger() -> None:
    box = one([300, 300, 900, 900])
    full, half = (draw(grey(1080, 1920), box, CLASSES, shown_at=share) for share in (1.0, 0.5))
    small = draw(grey(540, 960), one([150, 150, 450, 450]), CLASSES)
    assert (half != 128).sum() > (full != 128).sum() * 1.3
    shrunk = cv2.resize(half, (960, 540), interpolation=cv2.INTER_AREA)
    assert (np.abs(shrunk.astype(int) - small) > 90).any(axis=2).mean() < 0.01

"""Who crosses a line counts once each time, whatever trembles on it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heatprop.counting import LineCounter
from heatprop.errors import InvalidConfigError
from heatprop.types import Detections
from reference.counting import crossings

SIDE = 20.0  # of the boxes: with a margin of 0.1, 2 pixels from the line are not clear of it
START, END = (0, 50), (100, 50)

whole = st.integers(-12, 12)
points = st.tuples(whole, whole)
# Where each of several objects is in each frame; None where it is not seen.
scenes = st.lists(st.lists(st.one_of(st.none(), points), min_size=3, max_size=3), max_size=25)


def at(*places: tuple[int, float, float], label: int = 0) -> Detections:
    """Boxes that stand at points, with ids."""
    boxes = [[x - SIDE / 2, y - SIDE, x + SIDE / 2, y] for _, x, y in places]
    ids = [number for number, _, _ in places]
    count = len(places)
    return Detections(np.reshape(boxes, (-1, 4)), np.ones(count), [label] * count, track_ids=ids)


def walk(counter: LineCounter, path: list[tuple[float, float]], number: int = 1) -> list[int]:
    return [int(counter.update(at((number, x, y)))[0]) for x, y in path]


def totals(counter: LineCounter) -> tuple[int, int]:
    return sum(counter.left_to_right.values()), sum(counter.right_to_left.values())


@given(scenes, points, points, st.integers(0, 3))
def test_crossings_are_those_of_whole_paths(scene, start, end, clear) -> None:
    assume(start != end)
    counter = LineCounter(start, end, margin=clear / SIDE)
    wanted = Counter()
    for number in range(3):
        path = [places[number] for places in scene if places[number] is not None]
        wanted.update(crossings(path, start, end, clear))
    crossed = Counter()
    for places in scene:
        seen = [(number, *place) for number, place in enumerate(places) if place is not None]
        crossed.update(counter.update(at(*seen)).tolist())
    assert totals(counter) == (wanted[1], wanted[-1]) == (crossed[1], crossed[-1])


@given(scenes, points, points, st.randoms())
def test_neither_the_order_of_detections_nor_other_objects_make_a_difference(scene, start, end, chance) -> None:
    assume(start != end)
    together, shuffled = LineCounter(start, end), LineCounter(start, end)
    apart = [LineCounter(start, end) for _ in range(3)]
    for places in scene:
        seen = [(number, *place) for number, place in enumerate(places) if place is not None]
        together.update(at(*seen))
        shuffled.update(at(*chance.sample(seen, len(seen))))
        for each in seen:
            apart[each[0]].update(at(each))
    assert totals(together) == totals(shuffled) == tuple(map(sum, zip(*map(totals, apart), strict=True)))


@given(st.lists(st.one_of(st.none(), points), max_size=40), points, points)
def test_the_other_way_round_left_is_right(path, start, end) -> None:
    assume(start != end)
    one, other = LineCounter(start, end), LineCounter(end, start)
    for place in filter(None, path):
        one.update(at((1, *place)))
        other.update(at((1, *place)))
    assert totals(one) == totals(other)[::-1]


trembling = st.lists(st.tuples(st.floats(20, 80), st.floats(48.5, 51.5)), max_size=10)


@given(st.lists(trembling, min_size=1, max_size=6))
def test_a_path_that_crosses_n_times_counts_n_whatever_trembles_on_the_line(visits) -> None:
    path = [(50.0, 20.0)]
    for place, visit in enumerate(visits):
        path += [*visit, (50.0, 80.0 if place % 2 == 0 else 20.0)]
    counter = LineCounter(START, END)
    walk(counter, path)
    assert totals(counter) == ((len(visits) + 1) // 2, len(visits) // 2)


@given(trembling)
def test_what_only_comes_near_and_turns_back_does_not_count(visit) -> None:
    counter = LineCounter(START, END)
    assert not any(walk(counter, [(50, 20), *visit, (50, 20)]))


@pytest.mark.parametrize("outside", [-1, 101])
def test_a_way_around_an_end_does_not_count(outside: int) -> None:
    counter = LineCounter(START, END)
    assert walk(counter, [(50, 20), (outside, 20), (outside, 80), (50, 80)]) == [0, 0, 0, 0]
    assert walk(counter, [(50, 20), (50, 80)], number=1) == [-1, 1]


def test_an_object_hidden_on_its_way_goes_straight() -> None:
    counter = LineCounter(START, END)
    counter.update(at((1, 30, 20)))
    for _ in range(100):
        counter.update(Detections.empty())
    assert counter.update(at((1, 60, 90))).tolist() == [1]


def test_who_appears_on_the_line_or_beyond_it_does_not_count_before_coming_back() -> None:
    counter = LineCounter(START, END)
    assert walk(counter, [(50, 50.5), (50, 49.5), (50, 80)]) == [0, 0, 0]
    assert walk(counter, [(50, 20)]) == [-1]


def test_classes_are_counted_apart_and_what_has_no_id_is_not_counted() -> None:
    counter = LineCounter(START, END)
    for y in (20, 80):
        for label in (0, 5):
            counter.update(at((label, 50, y), (-1, 30, y), label=label))
    assert dict(counter.left_to_right) == {0: 1, 5: 1}
    assert dict(counter.right_to_left) == {}


def test_the_anchor_is_the_middle_of_the_lower_side_or_the_centre() -> None:
    bottom, centre = LineCounter(START, END), LineCounter(START, END, anchor="centre")
    for y in (40, 57):  # the centre is 10 pixels above
        crossed = [each.update(at((1, 50, y))).tolist() for each in (bottom, centre)]
    assert crossed == [[1], [0]]


def test_the_margin_grows_with_the_object() -> None:
    for size, wanted in ((10, 1), (100, 0)):
        counter = LineCounter(START, END)
        for y in (20, 55):
            box = [[50 - size / 2, y - size, 50 + size / 2, y]]
            crossed = counter.update(Detections(box, [1], [0], track_ids=[1]))
        assert crossed.tolist() == [wanted]


def test_memory_is_bounded() -> None:
    counter = LineCounter(START, END, most_ids=40)
    for number in range(1000):
        counter.update(at((number, 50, 20)))
        counter.update(at((number, 50, 80)))
    assert totals(counter) == (1000, 0)
    assert len(counter._paths) == 40


def test_counts_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        LineCounter(START, END).left_to_right[0] = 3


@pytest.mark.parametrize(
    ("options", "message"),
    [({"anchor": "top"}, "anchor is 'top'"), ({"margin": -1}, "margin is -1"), ({"most_ids": 0}, "most_ids is 0")],
)
def test_settings_that_make_no_sense_are_refused(options, message) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        LineCounter(START, END, **options)

"""Who is in a zone, by where boxes stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.counting import ZoneCounter
from heatprop.errors import InvalidConfigError
from heatprop.types import Detections

SQUARE = [(0, 0), (10, 0), (10, 10), (0, 10)]
points = st.tuples(st.integers(-5, 15), st.integers(-5, 15))
frames = st.lists(st.dictionaries(st.integers(0, 6), points, max_size=5), max_size=15)


def at(places: dict[int, tuple[int, int]]) -> Detections:
    boxes = [[x - 2, y - 6, x + 2, y] for x, y in places.values()]
    count = len(places)
    ids = list(places)
    return Detections(np.reshape(boxes, (-1, 4)), np.ones(count), [each % 2 for each in ids], track_ids=ids)


@given(frames, st.integers(1, 3))
def test_numbers_are_those_of_a_list_of_who_is_in_it(seen, least_frames) -> None:
    zone = ZoneCounter(SQUARE, least_frames=least_frames)
    within: list[list[int]] = []
    for places in seen:
        inside = zone.update(at(places))
        within.append([each for each, (x, y) in places.items() if 0 <= x <= 10 and 0 <= y <= 10])
        assert [each for each, is_in in zip(places, inside.tolist(), strict=True) if is_in] == within[-1]
        assert {label: zone.inside.get(label, 0) for label in (0, 1)} == {
            label: sum(each % 2 == label for each in within[-1]) for label in (0, 1)
        }
    numbers = [len(each) for each in within]
    assert zone.most == max(numbers, default=0)
    assert zone.mean == pytest.approx(sum(numbers) / max(len(numbers), 1))
    often = [each for each in range(7) if sum(each in here for here in within) >= least_frames]
    assert zone.objects.total == len(often)


def test_what_has_no_id_is_in_it_but_no_object_of_its_own() -> None:
    zone = ZoneCounter(SQUARE, least_frames=1)
    zone.update(Detections([[1, 1, 5, 5], [4, 1, 8, 5]], [0.9, 0.8], [0, 0]))
    assert (zone.most, zone.objects.total) == (2, 0)


def test_the_lower_border_of_the_image_is_in_a_zone_of_all_of_it() -> None:
    zone = ZoneCounter([(0, 0), (640, 0), (640, 272), (0, 272)])
    assert zone.update(Detections([[100, 50, 200, 272], [600, 100, 680, 272]], [0.9, 0.8], [0, 0])).all()


def test_the_anchor_may_be_the_centre() -> None:
    box = Detections([[0, 4, 10, 12]], [0.9], [0])
    assert not ZoneCounter(SQUARE).update(box).any()
    assert ZoneCounter(SQUARE, anchor="centre").update(box).all()


def test_no_zone_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="crosses itself"):
        ZoneCounter([(0, 0), (10, 10), (10, 0), (0, 10)])
    with pytest.raises(InvalidConfigError, match="anchor is 'top'"):
        ZoneCounter(SQUARE, anchor="top")

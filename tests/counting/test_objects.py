"""Different objects are counted by their ids, in any order, and in bounded memory."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.counting import LEAST_FRAMES, ObjectCounter
from heatprop.errors import InvalidConfigError
from heatprop.types import Detections

# Ids and classes of a frame; a class belongs to an id for good, as propagation has it.
frames = st.lists(st.sets(st.integers(-1, 12), max_size=6), max_size=40)


def frame(ids: list[int]) -> Detections:
    count = len(ids)
    return Detections(np.zeros((count, 4)), np.ones(count), [number % 3 for number in ids], track_ids=ids)


def count(ids_of_frames: list[list[int]], least_frames: int, most_ids: int = 100) -> dict[int, int]:
    counter = ObjectCounter(least_frames, most_ids=most_ids)
    for ids in ids_of_frames:
        counter.update(frame(ids))
    return dict(counter.counts)


@given(frames, st.integers(1, 6))
def test_an_object_counts_that_was_seen_in_enough_frames(seen: list[set[int]], least_frames: int) -> None:
    often = Counter(number for ids in seen for number in ids if number >= 0)
    wanted = Counter(number % 3 for number, times in often.items() if times >= least_frames)
    assert count([sorted(ids) for ids in seen], least_frames) == wanted


@given(frames, st.randoms())
def test_the_order_of_detections_makes_no_difference(seen: list[set[int]], chance) -> None:
    shuffled = [chance.sample(sorted(ids), len(ids)) for ids in seen]
    assert count(shuffled, 3) == count([sorted(ids) for ids in seen], 3)


def test_a_gap_breaks_nothing_and_a_class_that_changes_counts_once() -> None:
    counter = ObjectCounter(3)
    for label in (0, None, 0, None, None, 2, 2, 2):
        here = [] if label is None else [label]
        counter.update(Detections(np.zeros((len(here), 4)), [0.5] * len(here), here, track_ids=[7] * len(here)))
    assert dict(counter.counts) == {2: 1}
    assert counter.total == 1


def test_only_some_may_be_looked_at() -> None:
    counter = ObjectCounter(1)
    counter.update(frame([3, 4, 5]), among=np.array([True, False, True]))
    assert counter.total == 2


def test_memory_is_bounded_and_what_was_counted_stays() -> None:
    counter = ObjectCounter(2, most_ids=50)
    for number in range(0, 4000, 2):
        for _ in range(2):
            counter.update(frame([number, number + 1]))
    assert counter.total == 4000
    assert len(counter._frames) == 50


def test_who_returns_within_the_bound_counts_once_and_beyond_it_anew() -> None:
    others = [[number] for number in range(1, 10)]
    assert sum(count([[0], *others, [0]], 1, most_ids=10).values()) == 10
    assert sum(count([[0], *others, [0]], 1, most_ids=9).values()) == 11


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", True])
def test_numbers_below_one_are_refused(wrong) -> None:
    with pytest.raises(InvalidConfigError, match="least_frames is"):
        ObjectCounter(wrong)
    with pytest.raises(InvalidConfigError, match="most_ids is"):
        ObjectCounter(most_ids=wrong)
    assert ObjectCounter().least_frames == LEAST_FRAMES

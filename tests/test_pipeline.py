"""Reading ahead keeps order, bounds what is under way, passes errors on and leaves no thread behind."""

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.pipeline import map_ahead


def threads_of_ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("heatprop-")]


@given(st.lists(st.integers(), max_size=30), st.integers(1, 4))
def test_it_gives_what_a_loop_gives(items, workers):
    assert [(item, result) for item, result, _ in map_ahead(items, str, workers)] == [(i, str(i)) for i in items]
    assert threads_of_ours() == []


def test_results_keep_their_order_when_later_ones_are_done_first():
    def slow_if_even(item):
        time.sleep(0.02 * (item % 2 == 0))
        return item

    assert [result for _, result, _ in map_ahead(range(10), slow_if_even, 3)] == list(range(10))


def test_at_most_workers_plus_two_items_are_under_way():
    read = 0

    def items():
        nonlocal read
        for item in range(100):
            read += 1
            yield item

    with closing(map_ahead(items(), str, 2)) as ahead:
        for done, _ in enumerate(ahead, 1):
            time.sleep(0.001)
            # Those handed over, four slots, and the one that is read when a slot is given back.
            assert read <= done + 4


def test_an_error_of_the_source_comes_after_everything_before_it():
    def items():
        yield from range(3)
        raise OSError("the cable")

    seen = []
    with pytest.raises(OSError, match="the cable"):
        for item, _, _ in map_ahead(items(), str, 2):
            seen.append(item)
    assert seen == [0, 1, 2]
    assert threads_of_ours() == []


def test_an_error_on_starting_and_one_on_closing_reach_the_consumer_too():
    class Closed:
        def __iter__(self):
            raise OSError("closed")

    class Stuck:
        def __iter__(self):
            return self

        def __next__(self):
            raise StopIteration

        def close(self):
            raise OSError("stuck")

    for items, message in ((Closed(), "closed"), (Stuck(), "stuck")):
        with pytest.raises(OSError, match=message):
            list(map_ahead(items, str, 2))
        assert threads_of_ours() == []


def test_an_error_of_the_work_is_raised_at_its_item():
    seen = []
    with pytest.raises(ZeroDivisionError):
        for item, _, _ in map_ahead([1, 2, 0, 4], lambda n: 1 / n, 2):
            seen.append(item)
    assert seen == [1, 2]
    assert threads_of_ours() == []


def test_leaving_early_closes_the_source_in_the_thread_that_reads_it():
    closed_by = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed_by.append(threading.current_thread().name)

    for _ in map_ahead(endless(), str, 2):
        break
    assert threads_of_ours() == []
    assert closed_by == ["heatprop-read"]


def test_a_consumer_that_fails_stops_the_reading():
    with pytest.raises(RuntimeError), closing(map_ahead(iter(int, 1), str, 2)) as ahead:
        for _ in ahead:
            raise RuntimeError
    assert threads_of_ours() == []

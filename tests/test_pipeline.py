"""Reading ahead keeps order, bounds what is under way, passes errors on and leaves no thread behind."""

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.pipeline import Workers, map_ahead, merge


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


# several at once


def refuse(number, error):
    raise AssertionError((number, error))


@given(st.lists(st.lists(st.integers(), max_size=8), max_size=6), st.integers(1, 4))
def test_merging_gives_the_items_of_each_in_order_and_no_others(lists, at_once):
    got = {number: [] for number in range(len(lists))}
    for number, item in merge(lists, at_once, refuse):
        got[number].append(item)
    assert list(got.values()) == lists
    assert threads_of_ours() == []


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=6), st.integers(1, 4))
def test_those_that_fail_are_told_after_their_items_and_the_others_go_on(plan, at_once):
    def items(count, fails):
        yield from range(count)
        if fails:
            raise OSError(f"after {count}")

    happened = {number: [] for number in range(len(plan))}
    for number, item in merge(
        [items(*each) for each in plan], at_once, lambda number, error: happened[number].append(str(error))
    ):
        happened[number].append(item)
    for (count, fails), got in zip(plan, happened.values(), strict=True):
        assert got == [*range(count), *([f"after {count}"] if fails else [])]


def test_none_waits_for_a_slow_one():
    quick_is_through = threading.Event()

    def slow():
        quick_is_through.wait(60)
        yield "slow"

    merged = []
    for number, item in merge([slow(), "abc"], 2, refuse):
        merged.append((number, item))
        if item == "c":
            quick_is_through.set()
    assert merged == [(1, "a"), (1, "b"), (1, "c"), (0, "slow")]


@given(st.integers(1, 12), st.integers(1, 4))
def test_at_most_so_many_are_gone_through_at_a_time(count, at_once):
    lock = threading.Lock()
    begun, running, most = [], 0, 0

    def items(number):
        nonlocal running, most
        with lock:
            begun.append(number)
            running += 1
            most = max(most, running)
        yield number
        with lock:
            running -= 1

    assert sorted(merge(map(items, range(count)), at_once, refuse)) == [(n, n) for n in range(count)]
    assert most <= at_once
    assert sorted(begun) == list(range(count))


def test_of_each_at_most_two_are_made_ahead():
    made = [0, 0]

    def items(number):
        while True:
            made[number] += 1
            yield number

    taken = [0, 0]
    with closing(merge([items(0), items(1)], 2, refuse)) as merged:
        for number, _ in merged:
            taken[number] += 1
            time.sleep(0.001)
            # Those taken, one handed over, one in the hand.
            assert all(m <= t + 2 for m, t in zip(made, taken, strict=True))
            if sum(taken) == 100:
                break


def test_leaving_a_merge_early_closes_what_was_begun_in_its_thread_and_begins_nothing_more():
    begun, closed_by = [], []

    def endless(number):
        begun.append(number)
        try:
            while True:
                yield 0
        finally:
            closed_by.append(threading.current_thread().name)

    merged = merge([endless(number) for number in range(5)], 2, refuse)
    next(merged)
    merged.close()
    assert sorted(begun) == [0, 1]
    assert closed_by == ["heatprop-merge"] * 2
    assert threads_of_ours() == []


def test_what_on_error_raises_ends_all():
    def endless():
        while True:
            yield 0

    def breaks():
        raise OSError("the cable")
        yield

    def fail(_, error):
        raise error

    with pytest.raises(OSError, match="the cable"):
        for _ in merge([endless(), breaks()], 2, fail):
            pass
    assert threads_of_ours() == []


# threads that are shared


@given(st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(1, 3))
def test_side_by_side_they_share_threads_and_give_the_same(counts, threads):
    workers = Workers(threads)
    lock = threading.Lock()
    at_work, most = 0, 0

    def work(item):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        with lock:
            at_work -= 1
        return -item

    def stream(count):
        with closing(map_ahead(range(count), work, workers)) as ahead:
            yield from ((item, result) for item, result, _ in ahead)

    got = {number: [] for number in range(len(counts))}
    for number, item in merge([stream(count) for count in counts], len(counts), refuse):
        got[number].append(item)
    assert list(got.values()) == [[(item, -item) for item in range(count)] for count in counts]
    assert most <= threads
    assert threads_of_ours() == []


def test_one_that_leaves_early_takes_no_thread_from_the_others():
    workers = Workers(2)
    first = map_ahead(range(100), str, workers)
    second = map_ahead(range(100), str, workers)
    assert next(first)[0] == next(second)[0] == 0
    first.close()
    assert [item for item, _, _ in second] == list(range(1, 100))
    assert threads_of_ours() == []


def test_the_share_is_fair():
    workers = Workers(4)
    with workers.borrowed() as (pool, alone), workers.borrowed() as (same, together):
        assert (alone, together) == (4, 2)
        assert pool is same
    with workers.borrowed() as (_, again):
        assert again == 4

"""Reading ahead keeps order, bounds what is under way, passes errors on and leaves no thread behind."""

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.runtime.pipeline import Done, Ended, WorkAhead, Workers, map_ahead


def threads_of_ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("heatprop-")]


@given(st.lists(st.integers(), max_size=30), st.integers(1, 4))
def test_it_gives_what_a_loop_gives(items, workers):
    assert list(map_ahead(items, str, workers)) == [(i, str(i)) for i in items]
    assert threads_of_ours() == []


def test_results_keep_their_order_when_later_ones_are_done_first():
    def slow_if_even(item):
        time.sleep(0.02 * (item % 2 == 0))
        return item

    assert [result for _, result in map_ahead(range(10), slow_if_even, 3)] == list(range(10))


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
        for item, _ in map_ahead(items(), str, 2):
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
        for item, _ in map_ahead([1, 2, 0, 4], lambda n: 1 / n, 2):
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


def ahead_of(iterables, at_once, function=str, workers=2, **options):
    return WorkAhead(iterables, function, Workers(workers), at_once=at_once, **options)


@given(st.lists(st.lists(st.integers(), max_size=8), max_size=6), st.integers(1, 4))
def test_each_gives_its_items_in_order_then_its_end_and_no_others(lists, at_once):
    got = {number: [] for number in range(len(lists))}
    ended = []
    for event in ahead_of(lists, at_once).events():
        assert event.number not in ended
        if isinstance(event, Ended):
            ended.append(event.number)
        else:
            got[event.number].append((event.item, event.result))
    assert list(got.values()) == [[(item, str(item)) for item in items] for items in lists]
    assert sorted(ended) == list(range(len(lists)))
    assert threads_of_ours() == []


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["ends", "breaks", "is no number"])), max_size=6))
def test_those_that_fail_end_after_their_items_and_the_others_go_on(plan):
    def items(count, how):
        yield from range(count)
        if how == "breaks":
            raise OSError(f"after {count}")
        if how == "is no number":
            yield from ("x", 1, 2)

    happened = {number: [] for number in range(len(plan))}
    for event in ahead_of([items(*each) for each in plan], 3, int).events():
        happened[event.number].append(event.error if isinstance(event, Ended) else event.result)
    for (count, how), (*got, end) in zip(plan, happened.values(), strict=True):
        assert got == list(range(count))
        assert isinstance(end, {"ends": type(None), "breaks": OSError, "is no number": ValueError}[how])
    assert threads_of_ours() == []


def test_none_waits_for_one_that_is_slow_to_read():
    quick_is_through = threading.Event()

    def slow():
        quick_is_through.wait(60)
        yield "slow"

    seen = []
    for event in ahead_of([slow(), "abc"], 2).events():
        if isinstance(event, Done):
            seen.append((event.number, event.item))
        if event == Ended(1, None):
            quick_is_through.set()
    assert seen == [(1, "a"), (1, "b"), (1, "c"), (0, "slow")]


@given(st.integers(1, 12), st.integers(1, 4), st.sets(st.integers(0, 2)))
def test_at_most_so_many_are_open_at_a_time_besides_those_apart(count, at_once, apart):
    apart = {number for number in apart if number < count}
    lock = threading.Lock()
    begun, open_now, most = [], set(), 0

    def items(number):
        nonlocal most
        with lock:
            begun.append(number)
            open_now.add(number)
            most = max(most, len(open_now - apart))
        yield number
        with lock:
            open_now.remove(number)

    events = ahead_of([items(number) for number in range(count)], at_once, apart=apart).events()
    assert sorted(event.item for event in events if isinstance(event, Done)) == list(range(count))
    assert most <= at_once
    assert sorted(begun) == list(range(count))


def test_those_apart_are_begun_whatever_else_has_no_end():
    def endless(number):
        while True:
            yield number

    seen = set()
    with closing(ahead_of([endless(number) for number in range(4)], 1, apart=(2, 3)).events()) as events:
        for event in events:
            seen.add(event.item)
            if len(seen) == 3:
                break
    assert seen == {0, 2, 3}
    assert threads_of_ours() == []


def test_one_that_gives_its_place_is_followed_by_the_next_and_its_thread_begins_no_other():
    def endless(number):
        assert ahead.begin(number, gives_place=True)
        while True:
            yield number

    def short(number):
        with lock:
            open_now.append(number)
            most.append(len(open_now))
        yield number
        with lock:
            open_now.remove(number)

    lock, open_now, most = threading.Lock(), [], []
    ahead = ahead_of([endless(0), *(short(number) for number in range(1, 6))], 1)
    ended = []
    with closing(ahead.events()) as events:
        for event in events:
            if isinstance(event, Ended):
                ended.append(event.number)
            elif event.number == 0 and len(ended) == 5:
                break
    assert ended == [1, 2, 3, 4, 5]
    assert max(most) == 1
    assert threads_of_ours() == []


def test_of_each_a_bounded_number_is_read_ahead():
    read = [0, 0]

    def items(number):
        while True:
            read[number] += 1
            yield number

    taken = [0, 0]
    with closing(ahead_of([items(0), items(1)], 2).events()) as events:
        for event in events:
            taken[event.number] += 1
            time.sleep(0.001)
            # Half of the workers each, two slots more, and the one that is read when a slot is given back.
            assert all(r <= t + 4 for r, t in zip(read, taken, strict=True))
            if sum(taken) == 100:
                break


def test_more_can_be_read_ahead_of_one_that_asks_for_it():
    read = 0

    def items():
        nonlocal read
        ahead.begin(0, more=10)
        while True:
            read += 1
            yield read

    ahead = ahead_of([items()], 1)
    with closing(ahead.events()) as events:
        for event in events:
            time.sleep(0.01)
            if event.item == 20:
                break
    assert 20 + 10 < read <= 20 + 2 + 2 + 10 + 1


def test_one_that_is_left_gives_nothing_more_and_is_closed():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    ahead = ahead_of([endless(), range(100)], 2)
    after = []
    for event in ahead.events():
        if event.number == 0:
            ahead.leave(0)
        elif isinstance(event, Done):
            after.append(event.item)
    assert after == list(range(100))
    assert closed.wait(10)
    assert threads_of_ours() == []


def test_one_that_gives_nothing_any_more_can_be_abandoned_after_what_it_gave():
    is_silent, goes_on = threading.Event(), threading.Event()

    def silent():
        assert ahead.begin(0)
        yield from range(3)
        is_silent.set()
        goes_on.wait(60)
        yield 3

    def abandon():
        is_silent.wait(60)
        ahead.abandon(0)

    ahead = ahead_of([silent(), range(100)], 2)
    threading.Thread(target=abandon).start()
    events = list(ahead.events())
    assert not goes_on.is_set()
    assert [event for event in events if event.number == 0] == [
        *(Done(0, n, str(n)) for n in range(3)),
        Ended(0, None),
    ]
    assert [event.item for event in events if event.number == 1 and isinstance(event, Done)] == list(range(100))
    goes_on.set()
    while threads_of_ours():
        time.sleep(0.01)


def test_leaving_early_closes_what_was_begun_in_its_thread_and_begins_nothing_more():
    begun, closed_by = [], []

    def endless(number):
        begun.append(number)
        try:
            while True:
                yield 0
        finally:
            closed_by.append(threading.current_thread().name)

    events = ahead_of([endless(number) for number in range(5)], 2).events()
    next(events)
    events.close()
    assert set(begun) <= {0, 1}
    assert closed_by == ["heatprop-read"] * len(begun)
    assert threads_of_ours() == []


def test_what_is_no_exception_ends_all():
    def endless():
        while True:
            yield 0

    def stops():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for _ in ahead_of([endless(), stops()], 2).events():
            pass
    assert threads_of_ours() == []


def test_nobody_begins_what_is_not_wanted_any_more():
    is_left, answers = threading.Event(), []

    def late():
        is_left.wait(60)
        answers.append(ahead.begin(0))
        yield 0

    ahead = ahead_of([late(), range(3)], 2)
    events = ahead.events()
    next(events)
    threading.Timer(0.1, is_left.set).start()
    events.close()
    assert answers == [False]


# threads that are shared


@given(st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(1, 3))
def test_they_share_the_threads(counts, threads):
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

    got = {number: [] for number in range(len(counts))}
    for event in ahead_of([range(count) for count in counts], len(counts), work, workers=threads).events():
        if isinstance(event, Done):
            got[event.number].append((event.item, event.result))
    assert list(got.values()) == [[(item, -item) for item in range(count)] for count in counts]
    assert most <= threads
    assert threads_of_ours() == []


def test_one_that_leaves_early_takes_no_thread_from_the_others():
    workers = Workers(2)
    first, second = (WorkAhead([range(100)], str, workers).events() for _ in range(2))
    assert next(first).item == next(second).item == 0
    first.close()
    assert [event.item for event in second if isinstance(event, Done)] == list(range(1, 100))
    assert threads_of_ours() == []


def test_the_share_is_fair():
    workers = Workers(4)
    with workers as (pool, alone), workers as (same, together):
        assert (alone, together) == (4, 2)
        assert pool is same
    with workers as (_, again):
        assert again == 4

"""One stream of several sources: a slow one holds up no other, a silent one no end, and nothing is left behind."""

import gc
import threading
import time

import pytest

from heatprop import VideoDetector
from heatprop.runtime.preprocessing import Preprocessing
from heatprop.runtime.timings import StageTimings
from paced_source import LATEST, Paced, wait_for

LARGE = (2160, 3840)


@pytest.fixture(scope="module")
def detector():
    return VideoDetector(backend="onnx", input_size=64)


def begin(detector, *sources, on_end=lambda *_: None, **options):
    """Return the stream of sources that it opens itself, as the command does."""
    openers = [lambda source=source: source for source in sources]
    timings = [StageTimings() for _ in sources]
    return detector.stream_all(openers, timings, at_once=len(sources), on_end=on_end, **options)


def index_of(images):
    """Return the index of the one frame that the network is given, uint8 ``(1, H, W, 3)``."""
    _, height, width, _ = images.shape
    return images[0, height // 2, width // 2, 0]


def threads_of_ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("heatprop-")]


def wait_for_no_threads():
    until = time.monotonic() + LATEST
    while threads_of_ours() and time.monotonic() < until:
        time.sleep(0.01)
    assert threads_of_ours() == []


# a slow one


@pytest.mark.parametrize("what", ["reading", "preparing"])
def test_a_live_source_goes_on_while_a_frame_of_a_file_takes_its_time(detector, monkeypatch, what):
    """Each frame of the file takes until ten more of the live source have come out."""
    came = threading.Condition()
    of_live = of_file = 0

    def wait_for_ten_more():
        with came:
            wanted = of_live + 10
            assert came.wait_for(lambda: of_live >= wanted, LATEST), "the live source stood still"

    if what == "preparing":
        prepare = Preprocessing.prepare

        def slow_if_large(self, image, *arguments, **options):
            if image.shape[:2] == LARGE:
                wait_for_ten_more()
            return prepare(self, image, *arguments, **options)

        monkeypatch.setattr(Preprocessing, "prepare", slow_if_large)
    file = Paced(4, LARGE, before=lambda _: what == "reading" and wait_for_ten_more())
    live_before_file = []
    has_ended = threading.Event()

    def ended(number, error):
        assert error is None
        if number == 0:
            has_ended.set()

    live = Paced(None, is_live=True)
    stream = begin(detector, file, live, live=[1], on_end=ended)
    for result in stream:
        with came:
            if result.source == 1:
                of_live += 1
            else:
                of_file += 1
                live_before_file.append(of_live)
            came.notify_all()
        if has_ended.is_set():
            break
    stream.close()
    assert of_file == 4
    assert all(count >= 10 * (index + 1) for index, count in enumerate(live_before_file)), live_before_file
    assert threads_of_ours() == []


# a silent one


@pytest.mark.parametrize("silent_after", [0, 3])
def test_leaving_a_stream_whose_source_is_silent_closes_the_source(detector, silent_after):
    silent = Paced(silent_after, is_live=True, falls_silent=True)
    stream = begin(detector, silent, Paced(8), live=[0])
    got = [0, 0]
    for result in stream:
        got[result.source] += 1
        if got == [silent_after, 8]:
            break
    wait_for(silent.is_silent)
    assert not silent.closed.is_set()
    stream.close()
    assert silent.closed.is_set()
    assert threads_of_ours() == []


def test_a_stream_ends_when_its_silent_source_is_closed(detector):
    silent = Paced(3, is_live=True, falls_silent=True)

    def close_when_silent():
        wait_for(silent.is_silent)
        silent.close()

    threading.Thread(target=close_when_silent).start()
    ended = []
    stream = begin(detector, silent, on_end=lambda *end: ended.append(end))
    assert [result.frame.index for result in stream] == [0, 1, 2]
    assert ended == [(0, None)]
    assert threads_of_ours() == []


@pytest.mark.parametrize("is_deaf", [False, True])
def test_a_source_that_is_given_up_ends_after_what_it_gave_and_is_closed(detector, is_deaf):
    """Its reader may not even notice that it is closed."""
    silent = Paced(3, is_live=True, falls_silent=True, is_deaf=is_deaf)

    def opened(_, source, give_up):
        def give_up_when_silent():
            wait_for(silent.is_silent)
            give_up()

        threading.Thread(target=give_up_when_silent).start()
        return source

    ended = []
    stream = begin(detector, silent, on_open=opened, on_end=lambda *end: ended.append(end))
    assert [result.frame.index for result in stream] == [0, 1, 2]
    assert ended == [(0, None)]
    assert silent.closed.is_set()
    silent.wakes.set()
    wait_for_no_threads()


def test_a_stream_ends_when_all_of_its_sources_have_failed_though_one_is_silent(detector, monkeypatch):
    """The network fails on the live source's third frame; its reader waits for a fourth meanwhile."""
    silent = Paced(3, is_live=True, falls_silent=True)
    infer = detector.backend.infer

    def failing(images):
        if index_of(images) == 2:
            wait_for(silent.is_silent)
            raise RuntimeError("the network")
        return infer(images)

    monkeypatch.setattr(detector.backend, "infer", failing)
    ended = []
    stream = begin(detector, silent, on_end=lambda _, error: ended.append(str(error)))
    assert len(list(stream)) == 2
    assert ended == ["the network"]
    assert silent.closed.is_set()
    assert threads_of_ours() == []


# an abandoned one


@pytest.mark.parametrize("collected_by", ["the consumer", "the reader", "the network's thread", "another"])
def test_an_abandoned_stream_ends_whoever_collects_it(detector, monkeypatch, collected_by):
    """The garbage collector ends it in the thread that runs just then, which may be one that the end waits for."""
    is_abandoned, was_collected = threading.Event(), threading.Event()

    def collect():
        wait_for(is_abandoned)
        gc.collect()
        was_collected.set()

    class Cycle:
        """What only the collector frees."""

    infer = detector.backend.infer

    def collecting(images):
        if index_of(images) == 2 and collected_by == "the network's thread":
            collect()
        return infer(images)

    monkeypatch.setattr(detector.backend, "infer", collecting)
    source = Paced(8, before=lambda index: index == 2 and collected_by == "the reader" and collect())
    gc.disable()
    try:
        cycle = Cycle()
        cycle.itself, cycle.stream = cycle, begin(detector, source)
        next(cycle.stream)
        del cycle
        is_abandoned.set()
        if collected_by == "the consumer":
            collect()
        elif collected_by == "another":
            threading.Thread(target=collect).start()
        wait_for(was_collected)
    finally:
        gc.enable()
    wait_for_no_threads()
    assert source.closed.is_set()


@pytest.mark.parametrize("is_live", [True, False])
def test_an_abandoned_stream_whose_source_is_slow_leaves_no_thread_and_no_open_source(detector, is_live):
    source = Paced(3, is_live=is_live, falls_silent=is_live)
    stream = begin(detector, source, live=[0] if is_live else [])
    next(stream)
    if is_live:
        wait_for(source.is_silent)
    del stream
    gc.collect()
    wait_for_no_threads()
    assert source.closed.is_set()

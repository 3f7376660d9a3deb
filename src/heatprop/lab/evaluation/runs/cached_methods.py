"""Methods on cached network outputs, over all processors: detect by each, and do something with what it finds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import pairwise
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TypeAlias, TypeVar

import cv2
import numpy as np

from heatprop.backends.reading import nms_iou_of
from heatprop.errors import HeatpropError, InvalidConfigError
from heatprop.interrupts import Interrupted, check, pending
from heatprop.lab.datasets.annotations import Video, VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.runs.cache import OutputCache, part_count, part_rows
from heatprop.lab.evaluation.runs.methods import Method, VideoMethod, finish_video
from heatprop.letterbox import fit_letterbox
from heatprop.runtime.kept_outputs import restored
from heatprop.types import Detections, IntArray

_METHODS_AT_ONCE = 16
_ROOM = 4 << 30  # bytes that detections may take
_FRAME_ROOM = 2 * 100 * 56  # of these for a frame: at most 100 detections of 56 bytes, held twice
_SECONDS_BETWEEN_CHECKS = 0.1
_TASKS_A_JOB = 2  # at least; videos differ in length

Result = TypeVar("Result")
Done = TypeVar("Done")
Work: TypeAlias = Callable[[VideoDataset, Method, DetectionTable], Result]


class SweepError(HeatpropError, RuntimeError):
    """A process of a sweep died."""


def run_cached(
    dataset: VideoDataset,
    cache: OutputCache,
    methods: Sequence[Method],
    work: Work[Result],
    *,
    jobs: int,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[Result]:
    """Detect by methods on the outputs in a cache; a video is decompressed once for several of them.

    Args:
        dataset: what the cache is of; its images are not needed.
        cache: whole; see `OutputCache.require_whole`.
        methods: the settings.
        work: a function of a module: is called with the dataset, a method and all that it found, in a process of
            its own.
        jobs: processes at once.
        advance: called with how many frames times settings more are done.

    Yields:
        What `work` returns for each method, in their order.

    Raises:
        InvalidConfigError: a threshold is below the cache's floor.
        CacheError: the cache is damaged.
        SweepError: a process died.
        Interrupted: it was requested; the processes are ended.
    """
    for method in methods:
        require_above_floor(method.score_threshold, cache.manifest.floor)
    label_of = {name: label for label, name in enumerate(dataset.classes)}
    labels = np.array([label_of[name] for name in cache.manifest.classes], np.int64)
    slim = replace(dataset, image_paths=(), annotation_paths=())
    context = multiprocessing.get_context("spawn")
    _start_tracker()
    pool = ProcessPoolExecutor(jobs, context, _start, (slim,))
    try:
        at_once = methods_at_once(dataset.frame_count)
        for start in range(0, len(methods), at_once):
            some = methods[start : start + at_once]
            with _deaf_children():
                futures: dict[Future[list[DetectionTable]], tuple[int, slice]] = {
                    pool.submit(detect_video, cache.path, number, video, labels, some[part]): (number, part)
                    for number, video in enumerate(dataset.videos)
                    for part in parts_of(len(some), len(dataset.videos), jobs)
                }
            tables: list[dict[int, DetectionTable]] = [{} for _ in some]  # of each method, by video
            for future in _completed(futures):
                number, part = futures.pop(future)
                for by_video, table in zip(tables[part], future.result(), strict=True):
                    by_video[number] = table
                advance(dataset.videos[number].length * len(some[part]))
            joined = [_join([by_video[number] for number in sorted(by_video)]) for by_video in tables]
            scores = [pool.submit(_work, work, method, table) for method, table in zip(some, joined, strict=True)]
            for score in scores:
                for done in _completed([score]):
                    yield done.result()
    except Interrupted:
        for process in multiprocessing.active_children():
            process.kill()
        raise
    except BrokenProcessPool:
        check()  # Ctrl-C in a terminal reaches them, too
        raise SweepError("a process of the sweep was ended from outside; is memory short? try --jobs 1") from None
    finally:
        # Of what a process was writing as it was killed, the pool waits for the rest, for ever (CPython).
        pool.shutdown(wait=pending() is None, cancel_futures=True)


def _completed(futures: Iterable[Future[Done]]) -> Iterator[Future[Done]]:
    """Yield futures as they are done.

    Raises:
        Interrupted: it was requested while waiting.
    """
    left = set(futures)
    while left:
        done, left = wait(left, _SECONDS_BETWEEN_CHECKS, FIRST_COMPLETED)
        check()
        yield from done


def methods_at_once(frames: int) -> int:
    """Return of how many methods the detections in so many frames may be in memory at once.

    >>> methods_at_once(663), methods_at_once(176126), methods_at_once(10**8)
    (16, 2, 1)
    """
    return min(max(_ROOM // (_FRAME_ROOM * frames), 1), _METHODS_AT_ONCE)


def parts_of(methods: int, videos: int, jobs: int) -> list[slice]:
    """Return the methods of each task on a video: all at once, or parts where there are fewer videos than jobs.

    Each part decompresses the video again, which costs less than a processor that has nothing to do.

    >>> parts_of(16, 7, 2), parts_of(16, 1, 2)
    ([slice(0, 16, None)], [slice(0, 4, None), slice(4, 8, None), slice(8, 12, None), slice(12, 16, None)])
    """
    parts = min(-(-_TASKS_A_JOB * jobs // videos), methods)
    ends = [part * methods // parts for part in range(parts + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def require_above_floor(threshold: float, floor: float) -> None:
    """Check that a cache holds the cells that a score threshold asks for.

    Raises:
        InvalidConfigError: it does not.
    """
    if threshold < floor:
        raise InvalidConfigError(
            f"the score threshold is {threshold:g}, but the cache holds only cells of at least {floor:g}; raise "
            "it, or make a cache with a lower --cache-floor"
        )


def detect_video(
    folder: Path, number: int, video: Video, labels: IntArray, methods: Sequence[Method]
) -> list[DetectionTable]:
    """Detect in one cached video by several methods.

    Args:
        folder: of the cache.
        number: of the video in its dataset.
        video: the video.
        labels: the dataset's class number of each channel of the heatmaps.
        methods: the settings.

    Returns:
        The detections of each method.

    Raises:
        CacheError: the cache is damaged.
    """
    cache = OutputCache(folder)
    manifest = cache.manifest
    nms_iou = nms_iou_of(manifest.model_layout)
    at_work = [VideoMethod(method, labels, manifest.stride, nms_iou) for method in methods]
    found: list[list[Detections]] = [[] for _ in methods]
    for part in range(part_count(video)):
        content = cache.read(number, part, len(part_rows(video, part)))
        for (width, height), kept in zip(content.frame_sizes.tolist(), content.outputs, strict=True):
            fitted = fit_letterbox(width, height, manifest.input_format)
            output = restored(kept)
            for each, frames in zip(at_work, found, strict=True):
                frames.append(each.update(output, fitted))
    return [
        DetectionTable.from_frames(zip(video.rows, finish_video(method, frames), strict=True))
        for method, frames in zip(methods, found, strict=True)
    ]


def _join(tables: Sequence[DetectionTable]) -> DetectionTable:
    columns = (each.name for each in fields(DetectionTable))
    return DetectionTable(*(np.concatenate([getattr(table, name) for table in tables]) for name in columns))


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes that start here hear no Ctrl-C until they are ready, so that none dies with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_tracker() -> None:
    """Start the process that clears away the semaphores of a pool, also of one that is not waited for.

    Of those it would warn the user, who can do nothing about them.
    """
    if os.name != "posix":
        return
    sys.warnoptions.append("ignore::UserWarning:multiprocessing.resource_tracker")
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


_dataset_of_process: list[VideoDataset] = []  # of a process of the pool, sent to it once


def _start(dataset: VideoDataset) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word; the parent says what is to say
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, name="heatprop-parent", daemon=True).start()
    cv2.setNumThreads(1)
    _dataset_of_process[:] = [dataset]


def _end_with_parent() -> None:
    """End this process when its parent is gone, which a pool's processes would wait for instead."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(work: Work[Result], method: Method, table: DetectionTable) -> Result:
    (dataset,) = _dataset_of_process
    return work(dataset, method, table)

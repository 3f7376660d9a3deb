"""The stream, of one source or many: read and prepared ahead, on one network, each source in its order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import starmap
from time import perf_counter
from typing import Any, TypeAlias

from heatprop.backends import Backend
from heatprop.io import VideoSource, open_video
from heatprop.io.names import Source
from heatprop.runtime.pipeline import Done, WorkAhead, Workers
from heatprop.runtime.preprocessing import PreparedFrame
from heatprop.runtime.streamed_video import StreamedVideo, VideoSettings
from heatprop.runtime.timings import StageTimings
from heatprop.types import Detections, DetectorOutput, Frame

_MAX_BETWEEN = 5

Opener: TypeAlias = Callable[[], AbstractContextManager[VideoSource]]

OnOpen: TypeAlias = Callable[[int, VideoSource, Callable[[], None]], Iterable[Frame]]
"""Takes a source's place, the source, and what gives it up; returns the frames that are wanted of it."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """A frame and what is found in it; unpacks as ``(frame, detections)``, and has these two as items.

    Attributes:
        source: the place of its source among those of the stream, from 0.
        frame: the frame.
        detections: boxes in its pixels, by falling score.
        alone: the detections of the network alone; None where that was not asked for.
        starts_shot: whether another shot begins here, so that no object is followed to it.
    """

    source: int
    frame: Frame
    detections: Detections
    alone: Detections | None = None
    starts_shot: bool = False

    def __iter__(self) -> Iterator[Any]:
        return iter((self.frame, self.detections))

    def __getitem__(self, place: int) -> Any:
        return (self.frame, self.detections)[place]


def stream_all(
    backend: Backend,
    workers: Workers,
    settings: VideoSettings,
    sources: Sequence[Opener],
    timings: Sequence[StageTimings],
    *,
    alone: bool,
    at_once: int,
    live: Collection[int],
    on_open: OnOpen,
    on_end: Callable[[int, Exception | None], None],
) -> Generator[FrameResult, None, None]:
    """Detect in all sources, and yield the frames as they come: `VideoDetector.stream_all`, which has the rest.

    Args:
        backend: the network.
        workers: the threads that run it, for all streams.
        settings: of each video.
        sources: these and the others are those of that method.
    """
    videos: dict[int, StreamedVideo] = {}
    live_ones: dict[int, VideoSource] = {}  # those that this stream opened

    def read(number: int) -> Generator[tuple[Frame, PreparedFrame], None, None]:
        opening = sources[number]()
        with opening as source:
            more = _more_ahead(source, settings)
            if opening is source and source.info.is_live:
                live_ones[number] = source
            if ahead.begin(number, gives_place=source.info.is_live, more=more):
                frames = on_open(number, source, partial(give_up, number, source))
                filling = workers.count + 2 + more
                video = videos[number] = _begun(source, settings, timings[number], filling, alone=alone)
                yield from video.prepared(frames)

    def give_up(number: int, source: VideoSource) -> None:
        if live_ones.pop(number, None) is not None:  # its reader may wait for a frame that does not come
            source.close()
        ahead.abandon(number)

    def let_go() -> None:
        for source in list(live_ones.values()):
            source.close()

    ahead = WorkAhead(
        [read(number) for number in range(len(sources))],
        lambda item: infer(backend, item[1]),
        workers,
        at_once=at_once,
        apart=live,
        on_stop=let_go,
    )
    with closing(ahead.events()) as events:
        for event in events:
            number = event.number
            result = partial(FrameResult, number)
            if isinstance(event, Done):
                try:
                    timings[number].network += event.result[1] / workers.count
                    yield from starmap(result, videos[number].take(event))
                    continue
                except Exception as problem:
                    ahead.leave(number)
                    error: Exception | None = problem
            else:
                error = event.error
            if number in videos:  # what was read before comes first
                yield from starmap(result, videos.pop(number).finish())
            on_end(number, error)


def infer(backend: Backend, frame: PreparedFrame) -> tuple[DetectorOutput | None, float]:
    """Run the network on a key frame, and say how many seconds it took; called from several threads at once."""
    if frame.network_input is None:
        return None, 0.0
    started = perf_counter()
    (output,) = backend.infer(frame.network_input)
    return output, perf_counter() - started


def opened(source: Source) -> AbstractContextManager[VideoSource]:
    """Open a source by its address; one that the caller opened stays the caller's to close."""
    return nullcontext(source) if isinstance(source, VideoSource) else open_video(source)


def _begun(
    source: VideoSource, settings: VideoSettings, timings: StageTimings, filling: int, *, alone: bool
) -> StreamedVideo:
    """Return an open source as a video at its beginning."""
    fill = settings.keyframes.fill
    between = fill == "between" or (fill == "auto" and not source.info.is_live)
    preprocessing, control = settings.preprocessing(float(source.info.sample_aspect_ratio))
    # The network alone comes first: propagation overwrites the output.
    wanted = [replace(settings, propagation=None), settings] if alone else [settings]
    ways = [each.postprocessing(fills_between=between) for each in wanted]
    return StreamedVideo(source, preprocessing, ways, control, timings=timings, filling=filling)


def _more_ahead(source: VideoSource, settings: VideoSettings) -> int:
    """Return how many more frames of a source are under way, so that key frames side by side are among them.

    A live source is answered soon instead.
    """
    interval = min(settings.keyframes.expected_interval, _MAX_BETWEEN)
    return 0 if source.info.is_live else (interval - 1) * settings.concurrency

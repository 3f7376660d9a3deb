"""The pass of the network over a source: outputs and proxy, kept chunk by chunk.

A run that was cut off goes on at its last whole chunk: the frames before it are read again, for the cuts, and the
network does not run on them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from heatprop.app.control import CancelledError, Control
from heatprop.app.kept_frames import CHUNK_FRAMES, KeptFrame, write_kept
from heatprop.app.proxy import SegmentWriter, proxy_rate, proxy_size, scaled
from heatprop.app.replay import FLOOR, OutputForm
from heatprop.app.run_folder import RunFolder, RunRecord
from heatprop.backends import load_model, open_backend
from heatprop.errors import SourceError
from heatprop.io import SourceInfo, VideoSource, open_video
from heatprop.io.addresses import is_address
from heatprop.io.names import is_live_by_name
from heatprop.io.results import ResultsHeader, read_results
from heatprop.runtime.kept_outputs import sparsify
from heatprop.runtime.pipeline import Done, WorkAhead, Workers
from heatprop.runtime.preprocessing import PreparedFrame, Preprocessing, Seen
from heatprop.runtime.stream import infer
from heatprop.runtime.wanted_classes import numbers_of
from heatprop.types import Detections, DetectorOutput, Frame, HeadOutput, ImageArray, IntArray
from heatprop.zoo import ModelCard

_DARK = 40

Change = Callable[..., RunRecord]
"""Takes fields of the record that are known now, and returns the record with them."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFrame:
    """A frame as it was recorded.

    Attributes:
        image: as the proxy shows it.
        kept: what is kept of it.
    """

    image: ImageArray
    kept: KeptFrame


def record_run(folder: RunFolder, record: RunRecord, control: Control, change: Change) -> Iterator[RecordedFrame]:
    """Go through a source from the first chunk that is missing, keep everything, and yield each frame when it is.

    A chunk gets its files when the next frame is asked for, or none is left; also at the end of a run that is
    cancelled.

    Args:
        folder: where it is kept; whole chunks that are there stay.
        record: what to do.
        control: pauses and cancels it.
        change: called with what becomes known.

    Raises:
        CancelledError: it was cancelled; what was finished is kept.
        HeatpropError: the source, the model or the disk fails; what was finished is kept.
    """
    done = record.frames // CHUNK_FRAMES
    source = str(folder.path / record.source) if record.is_upload else record.source
    read = _frames_of_results if record.kind == "results" else _frames_of_video
    frames = read(source, record, done * CHUNK_FRAMES, control, change)
    kept: list[KeptFrame] = []
    segment: SegmentWriter | None = None
    try:
        with closing(frames):
            for image, each in frames:
                if segment is None:
                    record = change()
                    segment = SegmentWriter(folder.segment(done), record.proxy_size, record.rate)
                small = scaled(image, record.proxy_size)
                segment.write(small)
                kept.append(each)
                yield RecordedFrame(small, each)
                if len(kept) == CHUNK_FRAMES:
                    segment.close()
                    write_kept(folder.outputs(done), kept)
                    segment, kept, done = None, [], done + 1
                    record = change(frames=done * CHUNK_FRAMES)
    finally:
        if segment is not None:
            _keep_part(folder, done, segment, kept, change)


def _keep_part(
    folder: RunFolder, chunk: int, segment: SegmentWriter, kept: Sequence[KeptFrame], change: Change
) -> None:
    """Keep the frames of a chunk that is not full."""
    if len(kept) < segment.frames:
        segment.discard()
        return
    segment.close()
    write_kept(folder.outputs(chunk), kept)
    change(frames=chunk * CHUNK_FRAMES + len(kept))


def _frames_of_video(
    source: str, record: RunRecord, done: int, control: Control, change: Change
) -> Generator[tuple[ImageArray, KeptFrame], None, None]:
    model = load_model(
        record.model, input_size=record.input_size, layout=record.layout, classes=record.class_names
    )
    card = model.card
    others = _others(record, card)
    with open_video(source) as video:
        change(labels=card.classes, card=card.to_json(), **_facts(video.info))
        backend = open_backend("auto", model)
        change(backend=backend.description)
        workers = Workers(backend.concurrency + 2)
        preprocessing = Preprocessing(card.input, None, True, float(video.info.sample_aspect_ratio))

        def read() -> Generator[tuple[Frame, PreparedFrame], None, None]:
            ahead.begin(0)
            seen = Seen()
            for number, frame in enumerate(video):
                control.wait()
                prepared, seen = preprocessing.prepare(frame.image, seen, starts_anew=frame.starts_anew)
                if number >= done:
                    yield frame, prepared

        def wake() -> None:
            if video.info.is_live:
                video.close()  # its reader may wait for a frame that does not come
            ahead.abandon(0)

        ahead = WorkAhead([read()], lambda item: infer(backend, item[1]), workers, on_stop=lambda: None)
        control.wake_by(wake)
        with closing(ahead.events()) as events:
            for event in events:
                if not isinstance(event, Done):
                    if control.is_cancelled:
                        raise CancelledError
                    if event.error is not None:
                        raise event.error
                    break
                frame, prepared = event.item
                output, _ = event.result
                assert output is not None  # every frame is a key frame
                yield frame.image, _kept(frame, prepared, output, others)


def _kept(frame: Frame, prepared: PreparedFrame, output: DetectorOutput, others: IntArray) -> KeptFrame:
    if len(others) and isinstance(output, HeadOutput):
        heatmap = output.heatmap.copy()
        heatmap[others] = 0
        output = replace(output, heatmap=heatmap)
    elif len(others) and isinstance(output, Detections):
        output = output.select(~np.isin(output.labels, others))
    height, width = frame.image.shape[:2]
    return KeptFrame(
        frame.time, width, height, prepared.starts_shot, prepared.shows_the_same, sparsify(output, FLOOR)
    )


def _others(record: RunRecord, card: ModelCard) -> IntArray:
    """Return the numbers of the classes that are not wanted."""
    every = np.arange(len(card.classes))
    if not record.classes:
        return every[:0]
    return np.setdiff1d(every, numbers_of(record.classes, card.classes))


def _facts(info: SourceInfo) -> dict[str, Any]:
    """Return what a record holds of a source."""
    ratio = info.sample_aspect_ratio
    return {
        "total": info.frame_count,
        "width": info.width,
        "height": info.height,
        "rate": proxy_rate(info.frame_rate),
        "sample_aspect_ratio": float(ratio),
        "proxy_size": proxy_size(info.width, info.height, ratio),
        "facts": ResultsHeader("", (), info.to_json(), versions={}).to_json()["source"],
    }


def _frames_of_results(
    source: str, _: RunRecord, done: int, control: Control, change: Change
) -> Generator[tuple[ImageArray, KeptFrame], None, None]:
    header, found = read_results(source)
    video = _video_of(str(header.source.get("name", "")))
    width, height = (_whole(header.source.get(side)) for side in ("width", "height"))
    with nullcontext() if video is None else video:
        if video is not None:
            width, height = video.info.width, video.info.height
        if not (width and height):
            raise SourceError(f"{source} does not say how large frames are, and its video is not there")
        rate = _rate(header.source.get("frame_rate"))
        change(
            model=header.model,
            labels=tuple(header.classes),
            is_tunable=header.settings.get("propagation") is None and "propagated" not in header.settings,
            facts=dict(header.source),
            file_settings=dict(header.settings),
            total=None,
            width=width,
            height=height,
            rate=proxy_rate(rate),
            proxy_size=proxy_size(width, height),
        )
        form = OutputForm(1, None, None)
        images = iter(()) if video is None else iter(video)
        dark = np.full((height, width, 3), _DARK, np.uint8)
        image, place, seen = dark, -1, Seen()
        for number, (index, time, detections) in enumerate(found):
            control.wait()
            while place < index and (frame := next(images, None)) is not None:
                image, place = frame.image, frame.index
            if place < index:
                image = dark
            preprocessing = Preprocessing(form.input_for(image.shape[1], image.shape[0])[0], None, True)
            prepared, seen = preprocessing.prepare(image, seen)
            if number >= done:
                sides = image.shape[1::-1]
                yield image, KeptFrame(time, *sides, prepared.starts_shot, False, detections)


def _video_of(name: str) -> VideoSource | None:
    """Return the video that results are of, if it is still there and can be read again.

    A file of results may come from anybody: what it names on the network, and cameras, are left alone.
    """
    if is_address(name) or is_live_by_name(name):
        return None
    try:
        video = open_video(name)
    except SourceError:
        return None
    if video.info.is_live:
        video.close()
        return None
    return video


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 < value <= 1 << 14 else 0


def _rate(value: object) -> Fraction | None:
    if not isinstance(value, (int, float)) or not 0 < value < 1e6:
        return None
    return Fraction(value).limit_denominator(1001)

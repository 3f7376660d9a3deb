"""One source of `heatprop detect`: opened, written frame by frame, and finished, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from time import perf_counter

from heatprop.cli.detect_header import header_of_video, make_header
from heatprop.cli.outputs import DetectOutputs
from heatprop.cli.progress import SourceProgress, SourcesProgress
from heatprop.cli.resuming import (
    claimed,
    name_leftovers,
    refuse_existing,
    refuse_others,
    take_over_leftovers,
    unfinished_of,
)
from heatprop.cli.summary import Summary
from heatprop.errors import HeatpropError, InvalidConfigError, SourceError
from heatprop.interrupts import Interrupted, check, pending, shielded
from heatprop.io import VideoSource, open_video
from heatprop.io.addresses import shown
from heatprop.io.outputs import is_null
from heatprop.io.results import ResultsHeader, is_stream
from heatprop.offline.seqnms import seq_nms
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.keyframes import MAX_INTERVAL
from heatprop.runtime.stream import FrameResult
from heatprop.runtime.timings import StageTimings
from heatprop.types import Detections, Frame


@dataclass(frozen=True, slots=True)
class Request:
    """One source and what is wanted of it.

    Attributes:
        source: what the user gave.
        video: path of the annotated video; None for none.
        results: path of the JSON Lines, or ``"-"`` for standard output; None for none.
        compare: whether the video shows the network alone beside propagation.
        overwrite: whether existing files may be replaced.
        resume: whether complete files are to be skipped and unfinished ones done again.
        model: what the user gave; for the header.
        max_frames: at most so many frames; None for all.
        seq_nms: whether to find in all frames first, and rescore them.
        score_threshold: what is shown; with `seq_nms` the detector must return weaker boxes, too.
        reconnect: see `heatprop.open_video`.
    """

    source: str
    video: Path | None
    results: str | None
    compare: bool
    overwrite: bool
    resume: bool
    model: str
    max_frames: int | None
    seq_nms: bool
    score_threshold: float
    reconnect: float | None = None

    @property
    def name(self) -> str:
        """What the source is called where room is short."""
        return Path(self.source).resolve().name if os.path.exists(self.source) else shown(self.source)

    @property
    def streams_results(self) -> bool:
        """Whether results go where nothing is kept and asked about: standard output, a device, a pipe."""
        return self.results is not None and is_stream(self.results)

    @property
    def draws_for_nobody(self) -> bool:
        """Whether the video goes where nothing is kept."""
        return self.video is not None and is_null(self.video)

    @property
    def files(self) -> list[Path]:
        """The outputs that are kept."""
        results = None if self.results is None or self.streams_results else Path(self.results)
        return [path for path in (None if self.draws_for_nobody else self.video, results) if path is not None]

    def open(self) -> VideoSource:
        """Open the source."""
        return open_video(self.source, reconnect=self.reconnect)

    def for_remaining(self, remaining: Mapping[Path, int]) -> Request:
        """Return what is still to be done where only some files remain."""
        results = self.results
        if results is not None and not self.streams_results and Path(results) not in remaining:
            results = None
        video = self.video if self.video in remaining or self.draws_for_nobody else None
        return replace(self, video=video, results=results, overwrite=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        frames: how many were finished.
        summary: of the run; None where there is nothing to tell, or nobody left to tell it to.
        problems: what went wrong; what was finished before is kept.
        refused: why nothing was begun; None where it was.
        interrupted: what cut it short; None where nothing did.
        fault: of heatprop itself.
    """

    frames: int = 0
    summary: Summary | None = None
    problems: Sequence[Exception] = ()
    refused: HeatpropError | None = None
    interrupted: Interrupted | None = None
    fault: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """What `--seq-nms` keeps of a frame until all are there: all but its image."""

    index: int
    time: float
    detections: Detections
    alone: Detections | None


@dataclass(slots=True, eq=False)
class Job:
    """A request at work: `open` in the thread that reads, `write` for each frame, then `finish`, anywhere.

    With `--seq-nms` the frames' detections wait in memory until all are there, the images do not: a frame of 100
    objects takes 4 kB. Where a video is drawn, `finish` reads the source a second time.

    Attributes:
        request: what is wanted.
        detector: serves all sources.
        progress: where its line of progress goes.
        notify: says a line to the user.
        timings: where its time goes.
        is_over: whether it wants no more frames.
        reason: what ended it before its source; None where nothing did.
    """

    request: Request
    detector: VideoDetector
    progress: SourcesProgress
    notify: Callable[[str], None]
    timings: StageTimings = field(default_factory=StageTimings)
    is_over: bool = False
    reason: BaseException | None = None
    _held: ExitStack = field(default_factory=ExitStack)
    _video: VideoSource | None = None
    _outputs: DetectOutputs | None = None
    _line: SourceProgress | None = None
    _frames_before: Mapping[Path, int] = field(default_factory=dict)
    _found: list[_Found] = field(default_factory=list)
    _frames: int = 0
    _started: float = 0.0
    _is_told: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its outputs are there, so that it must be finished."""
        return self._outputs is not None

    def open(self, video: VideoSource) -> Iterable[Frame]:
        """Claim the outputs, settle what is with those that exist, and begin those that remain.

        Returns:
            The frames that are wanted.

        Raises:
            HeatpropError: the request is bad; nothing was written.
        """
        request, info = self.request, video.info
        if request.seq_nms and info.is_live:
            raise InvalidConfigError(
                f"--seq-nms needs the whole video, and {request.name} is live; save it to a file first"
            )
        with ExitStack() as held:
            held.enter_context(claimed(request.source, request.files))
            header = self._header(video)
            if request.resume:
                self._frames_before = self._remaining(header, is_live=info.is_live)
                if not self._frames_before and not request.streams_results and not request.draws_for_nobody:
                    return ()
                request = request.for_remaining(self._frames_before)
            else:
                if not request.overwrite:
                    refuse_existing(request.files, is_live=info.is_live)
                name_leftovers(request.files, request.source, self.notify)
            outputs = held.enter_context(
                DetectOutputs(
                    info,
                    request.video,
                    request.results,
                    self.timings,
                    compare=request.compare,
                    overwrite=request.overwrite,
                    frames_before=self._frames_before,
                )
            )
            total = info.frame_count
            if request.max_frames is not None:
                total = min(total or request.max_frames, request.max_frames)
            self._line = held.enter_context(self.progress.frames(request.name, total))
            self._video, self._outputs, self._held = video, outputs, held.pop_all()
        self._started = perf_counter()
        try:
            outputs.begin(
                header,
                # Between key frames lengths stand still, and say nothing of what is new.
                mark_new=self.detector.propagation is not None and self.detector.keyframes.every_frame,
                rescored=request.seq_nms,
            )
        except Exception as error:
            self.end(error)
        return takewhile(lambda _: not self.is_over, video)

    def write(self, result: FrameResult) -> None:
        """Write a frame to the outputs, or keep what is found in it; what fails ends the job."""
        assert self._outputs is not None
        assert self._line is not None
        frame, limit = result.frame, self.request.max_frames
        try:
            if self.request.seq_nms:
                alone = None if result.alone is None else self._shown(result.alone)
                self._found.append(_Found(frame.index, frame.time, result.detections, alone))
            else:
                self._outputs.write(frame.index, frame.time, frame.image, result.detections, result.alone)
        except Exception as error:
            self.end(error)
            return
        self._frames += 1
        self._line.advance()
        if self.timings.held_fps is not None and not self._is_told:
            self._is_told = True
            self.notify(
                f"heatprop: {self.request.name}: {self.detector.keyframes.target_fps:g} frames a second cannot be "
                f"held, even with the network on every {MAX_INTERVAL}th; some {self.timings.held_fps:.0f} are"
            )
        if limit is not None and self._frames >= limit:
            self.end(None)

    def end(self, reason: BaseException | None) -> None:
        """Take no more frames.

        Args:
            reason: what ended it; None where it is through.
        """
        self.is_over, self.reason = True, reason

    def finish(self) -> Outcome:
        """Write what waits, close and name the outputs, and say how it went; what was finished is kept.

        A second pass stops between two frames when it is interrupted. Nothing else here is.
        """
        if self._outputs is None:
            return self._not_begun()
        with self._held:
            if self.request.seq_nms:
                try:
                    self._write_rescored(self._outputs)
                except BaseException as error:
                    self.reason = error
            with shielded():
                return self._closed(self._outputs)

    def _not_begun(self) -> Outcome:
        match self.reason:
            case None | BrokenPipeError():  # nobody reads, or all is done
                return Outcome()
            case Interrupted():
                return Outcome(interrupted=self.reason)
            case HeatpropError():
                return Outcome(refused=self.reason)
            case _:
                return Outcome(fault=self.reason)

    def _closed(self, outputs: DetectOutputs) -> Outcome:
        reason, problems, written = self.reason, list[Exception](), list[Path]()
        if reason is None and not outputs.frames and not outputs.reader_gone:
            reason = SourceError(f"{self.request.name}: no frame in it can be read; is the file damaged?")
            if not problems:
                return Outcome(refused=reason)
        # A reader of standard output that has left has read enough: `heatprop detect ... --json - | head`.
        is_whole = reason is None or isinstance(reason, BrokenPipeError)
        outputs.keep(written, problems, complete=is_whole)
        fault = None
        if isinstance(reason, HeatpropError | OSError) and not is_whole:
            problems.insert(0, reason)
        elif not is_whole and not isinstance(reason, Interrupted):
            fault = reason
        for path in outputs.not_replaced:
            self.notify(
                f"heatprop: {path} keeps the {self._frames_before[path]:,} frames it had; this run had fewer"
            )
        interrupted = reason if isinstance(reason, Interrupted) else None
        summary = None
        if outputs.frames and not outputs.reader_gone and fault is None:
            summary = self._summary(outputs, written)
        return Outcome(outputs.frames, summary, problems, interrupted=interrupted, fault=fault)

    def _summary(self, outputs: DetectOutputs, written: Sequence[Path]) -> Summary:
        assert self._video is not None
        video = self._video
        return Summary(
            name=self.request.name,
            frames=outputs.frames,
            skipped=video.skipped,
            dropped=video.dropped,
            reconnections=video.reconnections,
            key_frames=None if self.detector.keyframes.every_frame else self.timings.key_frames,
            objects=outputs.objects,
            seconds=perf_counter() - self._started,
            backend=self.detector.backend.description,
            timings=self.timings,
            outputs=written,
            sound=outputs.sound_note,
            notes=[*video.notes, *outputs.notes],
        )

    def _write_rescored(self, outputs: DetectOutputs) -> None:
        """Rescore the frames found until the first pass ended, however it did, and write them.

        Raises:
            SourceError: the source gave other frames the second time.
            BaseException: what ended the first pass.
        """
        rescored = [self._shown(each) for each in seq_nms([found.detections for found in self._found])]
        reason = self.reason or pending()
        is_interrupted = isinstance(reason, Interrupted)
        if is_interrupted and self._found and outputs.draws:
            self.notify("heatprop: interrupted; drawing what was found so far, Ctrl-C again ends at once")
        # Interrupted until here, it writes all that was found; from here on, it stops.
        with shielded() if is_interrupted else nullcontext():
            if outputs.draws:
                self._draw(outputs, rescored)
            else:
                for found, detections in zip(self._found, rescored, strict=True):
                    outputs.write(found.index, found.time, None, detections, None)
                    check()
        if reason is not None:
            raise reason

    def _draw(self, outputs: DetectOutputs, rescored: Sequence[Detections]) -> None:
        source: AbstractContextManager[VideoSource] = self.request.open()
        with self.progress.frames(f"{self.request.name}, drawing", len(rescored)) as line, source as video:
            for found, detections, frame in zip(self._found, rescored, video, strict=False):
                if frame.time != found.time:
                    break
                outputs.write(found.index, found.time, frame.image, detections, found.alone)
                line.advance()
                check()
        if outputs.frames < len(rescored):
            raise SourceError(
                f"{shown(self.request.source)}: not the same as the first time from frame {outputs.frames} on; "
                "let nothing write to it meanwhile"
            )

    def _shown(self, detections: Detections) -> Detections:
        return detections.select(detections.scores >= self.request.score_threshold)

    def _header(self, video: VideoSource) -> ResultsHeader:
        request = self.request
        return make_header(
            request.source,
            video.info,
            request.model,
            self.detector,
            score_threshold=request.score_threshold,
            seq_nms=request.seq_nms,
            max_frames=request.max_frames,
        )

    def _remaining(self, header: ResultsHeader, *, is_live: bool) -> dict[Path, int]:
        """Return the files that `--resume` has to do, with the number of frames that each has now."""
        request = self.request
        headers = {request.video: header_of_video(header, compare=request.compare)}
        wanted = {path: headers.get(path, header) for path in request.files}
        refuse_others(wanted, request.source)
        nameless = take_over_leftovers(wanted, request.source, self.notify)
        return unfinished_of(wanted, nameless, is_live=is_live, notify=self.notify)

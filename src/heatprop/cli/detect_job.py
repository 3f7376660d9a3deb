"""One source of `heatprop detect`: opened, written frame by frame, and finished, whatever happens."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from heatprop.cli.detect_header import header_of_video, make_header
from heatprop.cli.detect_outputs import DetectOutputs
from heatprop.cli.detect_request import Request
from heatprop.cli.progress import SourcesProgress
from heatprop.cli.resuming import (
    claimed,
    name_leftovers,
    refuse_existing,
    refuse_others,
    take_over_leftovers,
    unfinished_of,
)
from heatprop.cli.summary import Distinct, Summary
from heatprop.errors import InvalidConfigError, SourceError
from heatprop.interrupts import Interrupted, check, pending, shielded
from heatprop.io import VideoSource
from heatprop.io.addresses import shown
from heatprop.io.results import ResultsHeader
from heatprop.offline.joining import join_tracks
from heatprop.offline.seqnms import seq_nms
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.keyframes import MAX_INTERVAL
from heatprop.runtime.stream import FrameResult
from heatprop.runtime.timings import StageTimings
from heatprop.types import Detections, Frame

_SECONDS_BETWEEN_CHECKS = 0.1
_MAX_WAITING = 2  # frames that are not written yet, before no more are read


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        frames: how many were finished.
        reason: what ended it before its source; None where nothing did, and it is whole.
        problems: what went wrong besides; what was finished before is kept.
        was_begun: whether there were outputs; a `HeatpropError` that ended it before that is a bad request.
        summary: of the run; None where there is nothing to tell, or nobody left to tell it to.
    """

    frames: int = 0
    reason: BaseException | None = None
    problems: Sequence[Exception] = ()
    was_begun: bool = True
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """What `--seq-nms` keeps of a frame until all are there: all but its image."""

    index: int
    time: float
    detections: Detections
    alone: Detections | None
    starts_shot: bool


class Job:
    """A request at work, in a thread of its own: no other waits while it is drawn, written or closed.

    `open` is called in the thread that reads, `take` and `end` by whoever goes through the results. With
    `--seq-nms` the frames' detections wait in memory until all are there, the images do not: a frame of 100
    objects takes 4 kB. Where a video is drawn, the source is then read a second time.

    Args:
        request: what is wanted.
        detector: serves all sources.
        progress: where its line of progress goes.
        notify: says a line to the user.
        tell: is told the outcome, in the job's thread.
        places: as many as files may be at work; live sources need none.

    Attributes:
        timings: where its time goes.
        outcome: once it has ended; None before.
    """

    def __init__(
        self,
        request: Request,
        detector: VideoDetector,
        progress: SourcesProgress,
        *,
        notify: Callable[[str], None],
        tell: Callable[[Outcome], None],
        places: threading.Semaphore,
    ) -> None:
        self.request, self.timings = request, StageTimings()
        self.outcome: Outcome | None = None
        self._detector, self._progress, self._notify, self._tell = detector, progress, notify, tell
        self._places = places
        self._changed = threading.Condition()
        self._results: deque[FrameResult] = deque()
        self._is_ended = self._is_over = self._is_told = False
        self._reason: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._frames_before: Mapping[Path, int] = {}
        self._found: list[_Found] = []
        self._video: VideoSource
        self._give_up: Callable[[], None]
        self._outputs: DetectOutputs
        self._started: float

    def open(self, video: VideoSource, give_up: Callable[[], None]) -> Iterable[Frame]:
        """Claim the outputs, settle what is with those that exist, and begin those that remain.

        Args:
            video: the source.
            give_up: called, from any thread, where the reader may wait for a frame that does not come.

        Returns:
            The frames that are wanted, as fast as they are written.

        Raises:
            HeatpropError: the request is bad; nothing was written.
            Interrupted: it was requested; nothing was written.
        """
        request, info = self.request, video.info
        if request.seq_nms and info.is_live:
            raise InvalidConfigError(
                f"--seq-nms needs the whole video, and {request.name} is live; save it to a file first"
            )
        with ExitStack() as held:
            if not info.is_live:
                while not self._places.acquire(timeout=_SECONDS_BETWEEN_CHECKS):
                    check()
                held.callback(self._places.release)
            held.enter_context(claimed(request.source, request.files))
            request.counts.begin(info, self._detector.card.classes)
            header = make_header(request, info, self._detector)
            if request.resume:
                self._frames_before = self._remaining(header, is_live=info.is_live)
                if not self._frames_before and not request.streams_records and not request.draws_for_nobody:
                    return ()
                request = request.for_remaining(self._frames_before)
            else:
                if not request.overwrite:
                    can_resume = request.can_resume and not info.is_live
                    refuse_existing(request.files, can_resume=can_resume)
                name_leftovers(request.files, request.source, self._notify, can_resume=request.can_resume)
            with self._changed:  # so that to end it waits for this
                check()
                if self._is_ended:
                    return ()
                self._outputs = held.enter_context(
                    DetectOutputs(
                        info,
                        request.video,
                        request.records,
                        self.timings,
                        drawing=request.drawing,
                        counts=request.counts,
                        table=request.table,
                        crops=request.crops,
                        overwrite=request.overwrite,
                        frames_before=self._frames_before,
                    )
                )
                self._video, self._give_up, self._started = video, give_up, perf_counter()
                arguments = (held.pop_all(), header)
                self._thread = threading.Thread(
                    target=self._work, args=arguments, name="heatprop-job", daemon=True
                )
                self._thread.start()
        return self._wanted(video)

    def take(self, result: FrameResult) -> None:
        """Take a frame, to be written when its turn comes."""
        with self._changed:
            if not self._is_over:
                self._results.append(result)
                self._changed.notify_all()

    def end(self, reason: BaseException | None) -> None:
        """Take no more, the source being at its end: what was taken is written, and the outputs are closed.

        Args:
            reason: what the source, or `open`, raised; None where nothing did.
        """
        self.stop(reason)
        if self._thread is None:
            self.outcome = Outcome(reason=reason, was_begun=False)
            self._tell(self.outcome)

    def stop(self, reason: BaseException | None) -> None:
        """Take no more, whether it was begun or not. Again: do nothing.

        Args:
            reason: what ends it before its source.
        """
        with self._changed:
            if not self._is_ended and not self._is_over:
                self._reason = reason
            self._is_ended = True
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until the outputs are closed, if it was begun."""
        if self._thread is not None:
            self._thread.join()

    def _wanted(self, video: VideoSource) -> Iterator[Frame]:
        for frame in video:
            started = perf_counter()
            with self._changed:
                while len(self._results) > _MAX_WAITING and not self._is_over:
                    self._changed.wait(_SECONDS_BETWEEN_CHECKS)
                    check()
                if self._is_over:
                    return
            self.timings.decode -= perf_counter() - started  # which counts this waiting, too
            yield frame

    def _work(self, held: ExitStack, header: ResultsHeader) -> None:
        with held:
            try:
                self._write_all(header)
            except BaseException as error:
                self._reason = error
            with self._changed:
                self._is_over = True
                self._results.clear()
                self._changed.notify_all()
            if self._video.info.is_live:
                self._give_up()  # the reader may wait for a frame that does not come
            if self.request.seq_nms:
                try:
                    self._write_rescored()
                except BaseException as error:
                    self._reason = error
            with shielded():
                try:
                    outcome = self._closed()
                except Exception as error:
                    outcome = Outcome(self._outputs.frames, error)
        self._tell(outcome)
        self.outcome = outcome

    def _write_all(self, header: ResultsHeader) -> None:
        """Write frames until no more come, or no more are wanted."""
        outputs, limit, total = self._outputs, self.request.max_frames, self._video.info.frame_count
        outputs.begin(
            header,
            # Between key frames lengths stand still, and say nothing of what is new.
            mark_new=self._detector.propagation is not None and self._detector.keyframes.every_frame,
            rescored=self.request.seq_nms,
        )
        if limit is not None:
            total = min(total or limit, limit)
        with self._progress.frames(self.request.name, total) as line:
            for number, result in enumerate(iter(self._next, None), start=1):
                self._write(result)
                line.advance()
                self._tell_if_slow()
                if number == limit:
                    break
                check()

    def _next(self) -> FrameResult | None:
        """Return the next frame when it has come; None when no more will."""
        with self._changed:
            while not self._results and not self._is_ended:
                self._changed.wait()
            self._changed.notify_all()
            return self._results.popleft() if self._results else None

    def _write(self, result: FrameResult) -> None:
        frame = result.frame
        if self.request.seq_nms:
            alone = None if result.alone is None else self._shown(result.alone)
            found = _Found(frame.index, frame.time, result.detections, alone, result.starts_shot)
            self._found.append(found)
        else:
            self._outputs.write(frame.index, frame.time, frame.image, result.detections, result.alone)

    def _tell_if_slow(self) -> None:
        if self.timings.held_fps is not None and not self._is_told:
            self._is_told = True
            target = self._detector.keyframes.target_fps
            self._notify(
                f"heatprop: {self.request.name}: {target:g} frames a second cannot be held, even with the network "
                f"on every {MAX_INTERVAL}th; some {self.timings.held_fps:.0f} are"
            )

    def _closed(self) -> Outcome:
        """Close the outputs, and say how it went."""
        outputs, reason = self._outputs, self._reason
        if reason is None and not outputs.frames and not outputs.reader_gone:
            reason = SourceError(f"{self.request.name}: no frame in it can be read; is the file damaged?")
            return Outcome(reason=reason, was_begun=False)
        if isinstance(
            reason, BrokenPipeError
        ):  # the reader has read enough: `heatprop detect ... --json - | head`
            reason = None
        written, problems = outputs.keep(complete=reason is None)
        for path in outputs.not_replaced:
            self._notify(
                f"heatprop: {path} keeps the {self._frames_before[path]:,} frames it had; this run had fewer"
            )
        summary = self._summary(written) if outputs.frames and not outputs.reader_gone else None
        return Outcome(outputs.frames, reason, problems, summary=summary)

    def _summary(self, written: Sequence[Path]) -> Summary:
        outputs, video, taken_for = self._outputs, self._video, self._detector.taken_for
        return Summary(
            name=self.request.name,
            frames=outputs.frames,
            skipped=video.skipped,
            dropped=video.dropped,
            reconnections=video.reconnections,
            key_frames=None if self._detector.keyframes.every_frame else self.timings.key_frames,
            objects=outputs.objects,
            distinct=Distinct(self.request.counts.distinct(), self.request.counts.objects.least_frames),
            seconds=perf_counter() - self._started,
            backend=self._detector.backend.description,
            model=f"{self._detector.card.name}, taken for {taken_for}" if taken_for else "",
            timings=self.timings,
            outputs=written,
            sound=outputs.sound_note,
            notes=[*video.notes, *outputs.notes],
        )

    def _write_rescored(self) -> None:
        """Rescore the frames found until the first pass ended, however it did, join tracks, and write them.

        Raises:
            SourceError: the source gave other frames the second time.
            BaseException: what ended the first pass.
        """
        outputs = self._outputs
        rescored = [self._shown(each) for each in seq_nms([found.detections for found in self._found])]
        rescored = join_tracks(
            rescored, shots=[place for place, found in enumerate(self._found) if found.starts_shot]
        )
        reason = self._reason or pending()
        is_interrupted = isinstance(reason, Interrupted)
        if is_interrupted and self._found and outputs.needs_images:
            self._notify("heatprop: interrupted; drawing what was found so far, Ctrl-C again ends at once")
        # Interrupted until here, it writes all that was found; from here on, it stops.
        with shielded() if is_interrupted else nullcontext():
            if outputs.needs_images:
                self._draw(outputs, rescored)
            else:
                for found, detections in zip(self._found, rescored, strict=True):
                    outputs.write(found.index, found.time, None, detections, None)
                    check()
        self._found.clear()
        if reason is not None:
            raise reason

    def _draw(self, outputs: DetectOutputs, rescored: Sequence[Detections]) -> None:
        source: AbstractContextManager[VideoSource] = self.request.open()
        with self._progress.frames(f"{self.request.name}, drawing", len(rescored)) as line, source as video:
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

    def _remaining(self, header: ResultsHeader, *, is_live: bool) -> dict[Path, int]:
        """Return the files that `--resume` has to do, with the number of frames that each has now."""
        request = self.request
        headers = {request.video: header_of_video(header, request.drawing)}
        wanted = {path: headers.get(path, header) for path in request.files}
        refuse_others(wanted, request.source)
        nameless = take_over_leftovers(wanted, request.source, self._notify)
        return unfinished_of(wanted, nameless, is_live=is_live, notify=self._notify)

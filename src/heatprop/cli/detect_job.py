"""What `heatprop detect` does with one source: open it, go through its frames, keep what was finished."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from time import perf_counter

from heatprop.cli.detect_header import header_of_video, make_header
from heatprop.cli.outputs import DetectOutputs
from heatprop.cli.progress import FrameProgress, SourceProgress
from heatprop.cli.resuming import (
    claimed,
    name_leftovers,
    refuse_existing,
    refuse_others,
    take_over_leftovers,
    unfinished_of,
)
from heatprop.cli.summary import Summary
from heatprop.cli.two_passes import FrameStream, TwoPasses
from heatprop.detector import StageTimings, VideoDetector
from heatprop.errors import HeatpropError, InvalidConfigError, SourceError
from heatprop.interrupts import Interrupted, check, pending, shielded, wait_for
from heatprop.io import SourceInfo, VideoSource, open_video
from heatprop.io.addresses import shown
from heatprop.io.outputs import is_null
from heatprop.io.results import ResultsHeader, is_stream
from heatprop.keyframes import MOST_INTERVAL


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        exit_code: 0 done, 1 failed on the way, 128 plus the signal's number when interrupted.
        frames: how many were finished.
        summary: of the run; None where there is nothing to tell, or nobody left to tell it to.
        problems: what went wrong; what was finished before is kept.
    """

    exit_code: int
    frames: int
    summary: Summary | None = None
    problems: Sequence[Exception] = field(default=())


@dataclass(frozen=True, slots=True)
class Host:
    """What a job needs of whoever runs it.

    Attributes:
        detector: gives the detector; asked once the source is open and the outputs are claimed.
        progress: makes the bar of a pass, from its name and the number of frames, None if unknown.
        notify: says a line to the user.
        opened: told of the source before anything is claimed; what it raises ends the job.
    """

    detector: Callable[[], VideoDetector]
    progress: Callable[[str, int | None], FrameProgress | SourceProgress]
    notify: Callable[[str], None]
    opened: Callable[[SourceInfo], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class DetectJob:
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

    def run(self, host: Host) -> Outcome:
        """Do it.

        Raises:
            HeatpropError: the request is bad; nothing was written.
            Interrupted: before the first frame was asked for; nothing was written.
        """
        with wait_for(lambda: open_video(self.source, reconnect=self.reconnect)) as video:
            if self.seq_nms and video.info.is_live:
                raise InvalidConfigError(
                    f"--seq-nms needs the whole video, and {self.name} is live; save it to a file first"
                )
            host.opened(video.info)
            with claimed(self.source, self._files):
                return self._fill(video, host)

    @property
    def _writes_at_once(self) -> bool:
        """Whether something goes where nothing is kept and asked about: standard output, a device, a pipe."""
        return self._streams_results or self._draws_for_nobody

    @property
    def _streams_results(self) -> bool:
        return self.results is not None and is_stream(self.results)

    @property
    def _draws_for_nobody(self) -> bool:
        return self.video is not None and is_null(self.video)

    @property
    def _files(self) -> list[Path]:
        results = None if self.results is None or self._streams_results else Path(self.results)
        return [path for path in (None if self._draws_for_nobody else self.video, results) if path is not None]

    def _fill(self, video: VideoSource, host: Host) -> Outcome:
        """Settle what is with outputs that exist, and then do the work that remains."""
        if not self.resume:
            if not self.overwrite:
                refuse_existing(self._files, is_live=video.info.is_live)
            name_leftovers(self._files, self.source, host.notify)
            return self._detect(video, host, {})
        header = self._header(video, host.detector())
        headers = {self.video: header_of_video(header, compare=self.compare)}
        wanted = {path: headers.get(path, header) for path in self._files}
        refuse_others(wanted, self.source)
        nameless = take_over_leftovers(wanted, self.source, host.notify)
        remaining = unfinished_of(wanted, nameless, is_live=video.info.is_live, notify=host.notify)
        if not remaining and not self._writes_at_once:
            return Outcome(0, 0)
        results = self.results
        if results is not None and not self._streams_results and Path(results) not in remaining:
            results = None
        video_path = self.video if self.video in remaining or self._draws_for_nobody else None
        job = replace(self, video=video_path, results=results, overwrite=True)
        return job._detect(video, host, remaining)

    def _header(self, video: VideoSource, detector: VideoDetector) -> ResultsHeader:
        return make_header(
            self.source,
            video.info,
            self.model,
            detector,
            score_threshold=self.score_threshold,
            seq_nms=self.seq_nms,
            max_frames=self.max_frames,
        )

    def _detect(self, video: VideoSource, host: Host, frames_before: Mapping[Path, int]) -> Outcome:
        with DetectOutputs(
            video.info,
            self.video,
            self.results,
            compare=self.compare,
            overwrite=self.overwrite,
            frames_before=frames_before,
        ) as outputs:
            detector = host.detector()
            timings = StageTimings()
            started = perf_counter()
            exit_code = 0
            problems: list[Exception] = []
            try:
                self._work(video, detector, timings, outputs, host)
            except Interrupted as interrupted:
                exit_code = interrupted.exit_code
            except BrokenPipeError:
                # Whoever reads standard output has read enough: `heatprop detect ... --json - | head`.
                pass
            except (HeatpropError, OSError) as problem:
                exit_code = 1
                problems.append(problem)
            except BaseException:
                # A fault in heatprop itself; it shows its traceback, but hours of finished work are not lost.
                with shielded():
                    outputs.keep([], [], complete=False)
                raise
            if not outputs.frames and exit_code == 0 and not outputs.reader_gone:
                raise SourceError(f"{self.name}: no picture in it can be read; is the file damaged?")
            written: list[Path] = []
            with shielded():
                outputs.keep(written, problems, complete=exit_code == 0)
            for path in outputs.not_replaced:
                host.notify(
                    f"heatprop: {path} keeps the {frames_before[path]:,} frames it had; this run had fewer"
                )
            requested = pending()
            if requested is not None:
                exit_code = requested.exit_code
            seconds = perf_counter() - started
            summary = None
            if outputs.frames and not outputs.reader_gone:
                summary = Summary(
                    name=self.name,
                    frames=outputs.frames,
                    skipped=video.skipped,
                    dropped=video.dropped,
                    reconnections=video.reconnections,
                    looks=None if detector.keyframes.looks_everywhere else timings.looks,
                    objects=outputs.objects,
                    seconds=seconds,
                    backend=detector.backend.description,
                    stages=_stages(timings, outputs),
                    outputs=written,
                    sound=outputs.sound_note,
                    notes=[*video.notes, *outputs.notes],
                )
        return Outcome(exit_code or (1 if problems else 0), outputs.frames, summary, problems)

    def _work(
        self,
        video: VideoSource,
        detector: VideoDetector,
        timings: StageTimings,
        outputs: DetectOutputs,
        host: Host,
    ) -> None:
        """Go through the frames."""
        outputs.begin(
            self._header(video, detector),
            # Between looks lengths stand still, and say nothing of what is new.
            mark_new=detector.propagation is not None and detector.keyframes.looks_everywhere,
            rescored=self.seq_nms,
        )
        frames = self._frames(detector, video, timings, host.notify)

        def progress(stage: str, total: int | None) -> FrameProgress | SourceProgress:
            if self.max_frames is not None:
                total = min(total or self.max_frames, self.max_frames)
            return host.progress(self.name + stage, total)

        if self.seq_nms:
            passes = TwoPasses(video, outputs, self.score_threshold, progress, host.notify)
            passes.run(frames, self.max_frames)
            return
        with progress("", video.info.frame_count) as bar, closing(frames):
            for frame, found, alone in islice(frames, self.max_frames):
                outputs.write(frame.index, frame.time, frame.image, found, alone)
                bar.advance()
                check()

    def _frames(
        self,
        detector: VideoDetector,
        video: VideoSource,
        timings: StageTimings,
        notify: Callable[[str], None],
    ) -> FrameStream:
        is_told = False
        frames: FrameStream
        if self.compare:
            pairs = detector.stream_compare(video, timings=timings)
            frames = ((frame, found, alone) for frame, alone, found in pairs)
        else:
            frames = ((frame, found, None) for frame, found in detector.stream(video, timings=timings))
        for each in frames:
            yield each
            if timings.held_fps is not None and not is_told:
                is_told = True
                notify(
                    f"heatprop: {self.name}: {detector.keyframes.target_fps:g} frames a second cannot be held, "
                    f"even with a look at every {MOST_INTERVAL}th; some {timings.held_fps:.0f} are"
                )


def _stages(timings: StageTimings, outputs: DetectOutputs) -> dict[str, float]:
    stages = {
        "decode": timings.decode,
        "network": timings.letterbox + timings.network,
        "propagate": timings.propagate,
    }
    if outputs.drawing_seconds:
        stages |= {"draw": outputs.drawing_seconds, "encode": outputs.encoding_seconds}
    return stages

"""`heatprop detect`: objects in a video, as a video, as JSON Lines, or both."""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Annotated

import cv2
import tyro

from heatprop.backends import BackendName, Device, Precision
from heatprop.cli.interrupts import Interrupted, Interrupts
from heatprop.cli.messages import error, say
from heatprop.cli.outputs import DetectOutputs, default_video_name
from heatprop.cli.progress import FrameProgress
from heatprop.cli.summary import Summary
from heatprop.cli.two_passes import FrameStream, TwoPasses
from heatprop.detector import VideoDetector
from heatprop.errors import HeatpropError, InvalidConfigError, SourceError, check_count, check_range
from heatprop.io import VideoSource, open_video
from heatprop.io.addresses import shown
from heatprop.io.results import STANDARD_OUTPUT, ResultsHeader
from heatprop.propagation import PropagationConfig
from heatprop.seqnms import SeqNmsConfig

_DETECTOR = {name: option.default for name, option in inspect.signature(VideoDetector).parameters.items()}


@dataclass(frozen=True, slots=True)
class Detect:
    """Find objects in a video and keep their boxes steady.
    $ heatprop detect street.mp4
    $ heatprop detect street.mp4 -o out.mp4 --json out.jsonl
    $ heatprop detect street.mp4 -o both.mp4 --compare
    $ heatprop detect street.mp4 --seq-nms
    $ heatprop detect camera:0 --json - | head

    Ctrl-C stops and keeps what was finished.
    """

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """Video file, http or rtsp address, camera (camera:0), folder of images, or pattern ('shots/*.jpg')."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT.mp4", help_behavior_hint="")] = None
    """Annotated video; with neither this nor --json: NAME.heatprop.mp4 in the current folder."""
    json: Annotated[str | None, tyro.conf.arg(metavar="OUT.jsonl", help_behavior_hint="")] = None
    """Detections as JSON Lines; - for standard output."""
    compare: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """In the video, show the network alone (left) beside propagation (right)."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace outputs that exist."""
    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Stop after N frames."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no summary; errors are still said."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = _DETECTOR["model"]
    """Embedded model (see heatprop models), or path of one with a card."""
    backend: BackendName = _DETECTOR["backend"]
    """What runs the network; auto takes the fastest installed."""
    precision: Precision = _DETECTOR["precision"]
    """Of the network; bf16 is faster where OpenVINO and the processor have it, and moves boxes by a pixel."""
    device: Device = _DETECTOR["device"]
    """Where the network runs: cuda (ONNX Runtime, PyTorch) and tensorrt (ONNX Runtime) are graphics cards."""
    score_threshold: Annotated[float, tyro.conf.arg(metavar="SCORE")] = _DETECTOR["score_threshold"]
    """Show objects of at least this score, 0 to 1."""
    no_propagation: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """The network alone, each frame for itself."""
    radius: Annotated[int, tyro.conf.arg(metavar="CELLS")] = PropagationConfig.radius
    """Propagation: how far an object may move in a frame, in cells of the output grid."""
    alpha: Annotated[float, tyro.conf.arg(metavar="SHARE")] = PropagationConfig.alpha
    """Propagation: share of the past in the balance, 0 to 1."""
    beta: Annotated[float, tyro.conf.arg(metavar="POWER")] = PropagationConfig.beta
    """Propagation: how strongly the length of a track counts; may be inf."""
    carry_over_cuts: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Propagation: do not start anew where one shot ends and another begins."""
    seq_nms: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Find objects in all frames first, rescore them along their paths, then write; not for live sources."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad; nothing was written.
        """
        if self.max_frames is not None:
            check_count("--max-frames", self.max_frames, 1)
        if self.compare and self.json is not None and self.output is None:
            raise InvalidConfigError("--compare shows two pictures side by side; add -o OUT.mp4 for the video")
        if self.compare and self.no_propagation:
            raise InvalidConfigError("--compare needs propagation for the right side; drop --no-propagation")
        check_range("score_threshold", self.score_threshold, 0, 1)
        # Frames are scaled side by side; threads within one would only take turns with those of the network.
        cv2.setNumThreads(1)
        try:
            with Interrupts() as interrupts, open_video(self.source) as video:
                if self.seq_nms and video.info.is_live:
                    raise InvalidConfigError(
                        f"--seq-nms needs the whole video, and {self._name} is live; save it to a file first"
                    )
                return self._detect(video, interrupts)
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; nothing is written")
            return interrupted.exit_code

    @property
    def _name(self) -> str:
        """What the source is called where room is short."""
        return Path(self.source).resolve().name if os.path.exists(self.source) else shown(self.source)

    def _propagation(self) -> PropagationConfig | None:
        if self.no_propagation:
            return None
        return PropagationConfig(radius=self.radius, alpha=self.alpha, beta=self.beta)

    @property
    def _least_score(self) -> float:
        """What the detector returns; paths need their weak boxes too, and are cut down when they are rescored."""
        return (
            min(self.score_threshold, PropagationConfig.score_threshold) if self.seq_nms else self.score_threshold
        )

    def _header(self, video: VideoSource, detector: VideoDetector) -> ResultsHeader:
        settings = {
            "propagation": detector.propagation,
            "seq_nms": SeqNmsConfig() if self.seq_nms else None,
            "score_threshold": self.score_threshold,
            "forget_at_cuts": detector.forget_at_cuts,
            "backend": detector.backend.description,
        }
        return ResultsHeader(detector.card.name, detector.card.classes, asdict(video.info), settings)

    def _detect(self, video: VideoSource, interrupts: Interrupts) -> int:
        propagation = self._propagation()
        path = self.output
        if path is None and self.json is None:
            path = Path(default_video_name(self.source))
        with DetectOutputs(video.info, path, self.json, compare=self.compare, overwrite=self.overwrite) as outputs:
            detector = VideoDetector(
                self.model,
                propagation=propagation,
                backend=self.backend,
                precision=self.precision,
                device=self.device,
                forget_at_cuts=not self.carry_over_cuts,
                score_threshold=self._least_score,
            )
            started = perf_counter()
            exit_code = 0
            problems: list[Exception] = []
            try:
                try:
                    self._work(video, detector, outputs, interrupts)
                finally:
                    interrupts.hold()
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
                outputs.keep([], [])
                raise
            if not outputs.frames and exit_code == 0 and not outputs.reader_gone:
                raise SourceError(f"{self._name}: no picture in it can be read; is the file damaged?")
            written: list[Path] = []
            outputs.keep(written, problems)
            if interrupts.pending is not None:
                exit_code = interrupts.pending.exit_code
            seconds = perf_counter() - started
        if outputs.frames and not self.quiet and not outputs.reader_gone:
            for line in self._summary(video, detector, outputs, seconds, written).lines():
                say(line)
        for trouble in problems:
            error(trouble)
        if exit_code > 128 and not self.quiet:
            say(
                f"heatprop: interrupted; {'what was finished is kept' if outputs.frames else 'nothing is written'}"
            )
        return exit_code or (1 if problems else 0)

    def _summary(
        self,
        video: VideoSource,
        detector: VideoDetector,
        outputs: DetectOutputs,
        seconds: float,
        written: list[Path],
    ) -> Summary:
        timings = detector.timings
        stages = {
            "decode": timings.decode,
            "network": timings.letterbox + timings.network,
            "propagate": timings.propagate,
        }
        if outputs.drawing_seconds:
            stages |= {"draw": outputs.drawing_seconds, "encode": outputs.encoding_seconds}
        return Summary(
            name=self._name,
            frames=outputs.frames,
            skipped=video.skipped,
            objects=outputs.objects,
            seconds=seconds,
            backend=detector.backend.description,
            stages=stages,
            outputs=written,
            sound=outputs.sound_note,
        )

    def _work(
        self,
        video: VideoSource,
        detector: VideoDetector,
        outputs: DetectOutputs,
        interrupts: Interrupts,
    ) -> None:
        """Go through the frames."""
        outputs.begin(
            self._header(video, detector), mark_new=detector.propagation is not None, rescored=self.seq_nms
        )
        frames = self._frames(detector, video)
        if self.seq_nms:
            notify = (lambda _: None) if self.quiet else say
            passes = TwoPasses(video, outputs, interrupts, self.score_threshold, self._progress, notify)
            passes.run(frames, self.max_frames)
            return
        with self._progress("", video.info.frame_count) as progress, closing(frames):
            for frame, found, alone in islice(frames, self.max_frames):
                with interrupts.held():
                    outputs.write(frame.index, frame.time, frame.image, found, alone)
                    progress.advance()

    def _progress(self, stage: str, total: int | None) -> FrameProgress:
        if self.max_frames is not None:
            total = min(total or self.max_frames, self.max_frames)
        quiet = self.quiet or (self.json == STANDARD_OUTPUT and sys.stdout.isatty())
        return FrameProgress(self._name + stage, total, quiet=quiet)

    def _frames(self, detector: VideoDetector, video: VideoSource) -> FrameStream:
        if self.compare:
            for frame, alone, found in detector.stream_compare(video):
                yield frame, found, alone
        else:
            for frame, found in detector.stream(video):
                yield frame, found, None

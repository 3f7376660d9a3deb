"""`heatprop detect`: objects in videos, as a video, as JSON Lines, or both; one source, or several at once."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Annotated

import cv2
import tyro

from heatprop.cli.counts import Counts
from heatprop.cli.detect_request import Drawing, Request
from heatprop.cli.detect_run import run_jobs
from heatprop.cli.detector_options import DetectorOptions
from heatprop.cli.drawing_options import DrawingOptions
from heatprop.cli.messages import say
from heatprop.cli.output_names import OutputNames, folders_made, name_outputs
from heatprop.cli.output_options import OutputOptions
from heatprop.cli.range_options import RangeOptions
from heatprop.cli.usage import UsageError
from heatprop.counting import LEAST_FRAMES
from heatprop.errors import InvalidConfigError, check_count, check_range
from heatprop.interrupts import Interrupted
from heatprop.io.names import may_be_wrong, sources_of


@dataclass(frozen=True, slots=True)
class Detect:
    """Find objects in videos and keep their boxes steady.
    $ heatprop detect street.mp4
    $ heatprop detect street.mp4 -o out.mp4 --json out.jsonl
    $ heatprop detect street.mp4 -o both.mp4 --compare
    $ heatprop detect street.mp4 --model yolox_s.onnx
    $ heatprop detect street.mp4 --seq-nms
    $ heatprop detect street.mp4 --start 1:05 --end 1:10.5 -o moment.mp4
    $ heatprop detect camera:0 --json - | head
    $ heatprop detect a.mp4 b.mp4 rtsp://host/door -o drawn/ --json found/

    Several sources share one network: 4 files at a time, and all live ones at once. One that fails ends no other.
    Ctrl-C stops and keeps what was finished.
    """

    sources: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="SOURCE [SOURCE ...]", help_behavior_hint="")
    ]
    """Video file, http or rtsp address, camera (camera:0), folder of images, or pattern ('shots/*.jpg').
    A folder or pattern of videos ('films/*.mp4') is several sources."""
    outputs: OutputOptions = field(default_factory=OutputOptions)
    compare: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """In the video, show the network alone (left) beside propagation (right)."""
    draw_ids: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """In the video, number the objects: person #12 is the same one in every frame."""
    drawing: DrawingOptions = field(default_factory=DrawingOptions)
    least_frames: Annotated[int, tyro.conf.arg(metavar="N")] = LEAST_FRAMES
    """In the summary, count how many different objects were seen in at least N frames."""
    frames: RangeOptions = field(default_factory=RangeOptions)
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no summary; errors are still said."""
    no_propagation: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """The network alone, each frame for itself."""
    reconnect: Annotated[float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="")] = None
    """Try a live stream that breaks again for so long, with growing pauses; 0: end immediately. Default: 10."""
    seq_nms: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Find objects in all frames first, rescore them along their paths, join tracks of the same object, then
    write; not for live sources."""
    detector: DetectorOptions = field(default_factory=DetectorOptions)

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad; nothing was written.
        """
        self._check()
        # Frames are scaled side by side; threads within one would only take turns with those of the network.
        cv2.setNumThreads(1)
        notes: list[str] = []
        sources = sources_of(self.sources, notes.append)
        names = name_outputs(sources, self.outputs, are_several=sources != list(self.sources))
        requests = [self._request(source, name) for source, name in zip(sources, names, strict=True)]
        is_list = len(requests) > 1 or sources != list(self.sources)
        if not is_list and may_be_wrong(sources[0]):
            requests[0].open().close()  # what is not there is told before a model is loaded
        try:
            # With Seq-NMS, paths need their weak boxes too; they are cut down when they are rescored.
            detector = self.detector.open(propagates=not self.no_propagation, finds_weak=self.seq_nms)
            with folders_made(names):
                hides_bar = self.quiet or (self.outputs.uses_standard_output and sys.stdout.isatty())
                return run_jobs(
                    requests, detector, is_list=is_list, quiet=self.quiet, hides_bar=hides_bar, notes=notes
                )
        except Interrupted as interrupted:
            say("heatprop: interrupted; nothing is written")
            return interrupted.exit_code

    def _check(self) -> None:
        """Raise InvalidConfigError where options do not go together."""
        if not self.sources:
            where = ", before --classes," if self.detector.classes else ""
            raise UsageError(f"missing from heatprop detect{where}: SOURCE; see heatprop detect --help")
        self.frames.frames()
        check_count("--least-frames", self.least_frames, 1)
        self.outputs.check()
        self._check_drawing()
        if self.detector.propagation != "adaptive" and self.no_propagation:
            raise InvalidConfigError(
                f"--no-propagation contradicts --propagation {self.detector.propagation}; drop one of them"
            )
        if self.outputs.crops is not None and self.no_propagation:
            raise InvalidConfigError("--crops needs ids, which propagation gives; drop --no-propagation")
        if self.reconnect is not None:
            check_range("--reconnect", self.reconnect, 0, 1e9)
        self.detector.check()

    def _check_drawing(self) -> None:
        has_video = self.outputs.has_video
        if self.compare and not has_video:
            raise InvalidConfigError("--compare shows two images side by side; add -o OUT.mp4 for the video")
        if self.compare and self.no_propagation:
            raise InvalidConfigError("--compare needs propagation for the right side; drop --no-propagation")
        if self.draw_ids and not has_video:
            raise InvalidConfigError("--draw-ids is for the video; add -o OUT.mp4")
        if self.draw_ids and self.no_propagation:
            raise InvalidConfigError("--draw-ids needs ids, which propagation gives; drop --no-propagation")
        if self.draw_ids and self.drawing.no_labels:
            raise InvalidConfigError("--draw-ids writes into the tags, and --no-labels leaves them out; drop one")
        self.drawing.check(has_video=has_video, has_ids=not self.no_propagation)

    def _request(self, source: str, names: OutputNames) -> Request:
        return Request(
            source,
            names.video,
            names.records,
            drawing=Drawing(self.compare, self.draw_ids, self.drawing),
            overwrite=self.outputs.overwrite,
            resume=self.outputs.resume,
            model=self.detector.model,
            frames=self.frames.frames(),
            max_frames=self.frames.max_frames,
            seq_nms=self.seq_nms,
            score_threshold=self.detector.score_threshold,
            counts=Counts(self.least_frames),
            crops=names.crops,
            reconnect=self.reconnect,
        )

"""`heatprop count`: different objects, crossings of lines and occupancy of zones, in one video or live."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import tyro

from heatprop.cli.counts import Counts
from heatprop.cli.detect_request import Drawing, Request
from heatprop.cli.detect_run import run_jobs
from heatprop.cli.detector_options import DetectorOptions
from heatprop.cli.drawing_options import DrawingOptions
from heatprop.cli.messages import say
from heatprop.cli.range_options import RangeOptions
from heatprop.cli.shapes import read_shapes
from heatprop.counting import LEAST_FRAMES, Anchor
from heatprop.errors import InvalidConfigError, check_count, check_range
from heatprop.interrupts import Interrupted
from heatprop.io.names import may_be_wrong, sources_of


@dataclass(frozen=True, slots=True)
class Count:
    """Count different objects, crossings of lines and who is in zones, by the ids that propagation gives.
    $ heatprop count street.mp4
    $ heatprop count street.mp4 --line door=50%,100%,50%,0 --csv counts.csv -o counted.mp4
    $ heatprop count camera:0 --line 50%,100%,50%,0 --zone hall=0,0,50%,0,50%,100%,0,100% --json

    Left and right of a line are those of someone who walks on the image from its first point to its second.
    Ctrl-C stops, keeps what was finished, and says the numbers so far. docs/guides/counting.md explains each.
    """

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE", help_behavior_hint="")]
    """Video file, http or rtsp address, camera (camera:0), folder of images, or pattern ('shots/*.jpg')."""
    line: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(metavar="[NAME=]x1,y1,x2,y2", help_behavior_hint=""),
    ] = ()
    """Count who crosses this line, each way; in pixels of the upright frame, or shares of its sides (50%).
    May be given several times."""
    zone: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(metavar="[NAME=]x1,y1,x2,y2,x3,y3,...", help_behavior_hint=""),
    ] = ()
    """Count who is in this zone, given by its corners in order around it; likewise.
    May be given several times."""
    anchor: Anchor = "bottom"
    """The point of a box that crosses a line or lies in a zone: the middle of its lower side, or its centre."""
    least_frames: Annotated[int, tyro.conf.arg(metavar="N")] = LEAST_FRAMES
    """Different objects are those seen in at least N frames; of a zone, seen in it."""
    csv: Annotated[Path | None, tyro.conf.arg(metavar="OUT.csv", help_behavior_hint="")] = None
    """All numbers of each frame, as a table."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT.mp4", help_behavior_hint="")] = None
    """Annotated video, with ids, lines and zones, and their running numbers."""
    drawing: DrawingOptions = field(default_factory=DrawingOptions)
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print one JSON object at the end instead of a table."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace outputs that exist."""
    frames: RangeOptions = field(default_factory=RangeOptions)
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no summary, just the numbers; errors are still said."""
    reconnect: Annotated[float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="")] = None
    """Try a live stream that breaks again for so long, with growing pauses; 0: end immediately. Default: 10."""
    detector: DetectorOptions = field(default_factory=DetectorOptions)

    def run(self) -> int:
        """Print the numbers on standard output and return the exit code.

        Raises:
            HeatpropError: the request is bad; nothing was written.
        """
        self._check()
        counts = Counts(self.least_frames, read_shapes(self.line, self.zone), self.anchor)
        # Frames are scaled side by side; threads within one would only take turns with those of the network.
        cv2.setNumThreads(1)
        request = self._request(self._only_source(), counts)
        if may_be_wrong(request.source):
            request.open().close()  # what is not there is told before a model is loaded
        try:
            detector = self.detector.open()
            code = run_jobs([request], detector, is_list=False, quiet=self.quiet, hides_bar=self.quiet)
        except Interrupted as interrupted:
            say("heatprop: interrupted; nothing is written")
            return interrupted.exit_code
        if counts.frames:
            self._print(counts, request, complete=code == 0)
        return code

    def _check(self) -> None:
        """Raise InvalidConfigError where a value lies outside its range."""
        check_count("--least-frames", self.least_frames, 1)
        self.frames.frames()
        if self.reconnect is not None:
            check_range("--reconnect", self.reconnect, 0, 1e9)
        self.drawing.check(has_video=self.output is not None)
        self.detector.check()

    def _only_source(self) -> str:
        sources = sources_of([self.source], self._note)
        if len(sources) != 1:
            raise InvalidConfigError(
                f"{self.source} is {len(sources):,} videos, and lines and zones are of one; count in each of them"
            )
        return sources[0]

    def _note(self, line: str) -> None:
        if not self.quiet:
            say(f"heatprop: note: {line}")

    def _request(self, source: str, counts: Counts) -> Request:
        return Request(
            source,
            self.output,
            {},
            drawing=Drawing(draw_ids=not self.drawing.no_labels, options=self.drawing),
            overwrite=self.overwrite,
            resume=False,
            model=self.detector.model,
            frames=self.frames.frames(),
            max_frames=self.frames.max_frames,
            seq_nms=False,
            score_threshold=self.detector.score_threshold,
            counts=counts,
            table=self.csv,
            reconnect=self.reconnect,
            can_resume=False,
        )

    def _print(self, counts: Counts, request: Request, *, complete: bool) -> None:
        if self.json:
            numbers = {"source": request.name, "complete": complete, **counts.to_json()}
            sys.stdout.write(json.dumps(numbers, indent=1, allow_nan=False) + "\n")
        else:
            sys.stdout.write("".join(f"{line}\n" for line in counts.table()))

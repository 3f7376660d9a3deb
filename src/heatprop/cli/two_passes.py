"""The two passes of `heatprop detect --seq-nms`: find objects in all frames and rescore them, then write."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from heatprop.cli.outputs import DetectOutputs
from heatprop.cli.progress import FrameProgress, SourceProgress
from heatprop.errors import SourceError
from heatprop.interrupts import Interrupted, check, pending, shielded
from heatprop.io import VideoSource
from heatprop.seqnms import seq_nms
from heatprop.types import Detections, Frame

FrameStream: TypeAlias = Generator[tuple[Frame, Detections, Detections | None], None, None]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the first pass keeps of a frame: all but its picture."""

    index: int
    time: float
    found: Detections
    alone: Detections | None


@dataclass(frozen=True, slots=True)
class TwoPasses:
    """Rescores a video with Seq-NMS and writes it.

    Between the passes the detections of all frames are in memory, the pictures are not: a frame of 100 objects
    takes 4 kB. Where a video is drawn the source is read a second time.

    Attributes:
        video: the source; not a live one.
        outputs: where the frames go.
        score_threshold: what is shown of the rescored objects; the first pass must go lower.
        progress: makes the bar of a pass, from what to call it and the number of frames, None if unknown.
        notify: says a line to the user.
    """

    video: VideoSource
    outputs: DetectOutputs
    score_threshold: float
    progress: Callable[[str, int | None], FrameProgress | SourceProgress]
    notify: Callable[[str], None]

    def run(self, frames: FrameStream, limit: int | None) -> None:
        """Go through the frames, and then write them.

        Whatever ends the first pass early, Ctrl-C or a damaged source, is raised after the frames found until
        then are rescored and written.

        Args:
            frames: each with its detections, and those of the network alone for `compare`. It is closed before
                anything is written, so that nobody else reads the source then.
            limit: at most so many frames; None for all.

        Raises:
            SourceError: the source gave other frames the second time.
            BaseException: what ended the first pass.
        """
        seen: list[_Seen] = []
        reason: BaseException | None = None
        try:
            self._find(frames, limit, seen)
        except BaseException as problem:
            reason = problem
        rescored = [self._shown(found) for found in seq_nms([frame.found for frame in seen])]
        reason = reason or pending()
        if isinstance(reason, Interrupted) and seen and self.outputs.draws:
            self.notify("heatprop: interrupted; drawing what was found so far, Ctrl-C again ends at once")
        # Interrupted until here, it writes all that was found; from here on, it stops.
        with shielded() if isinstance(reason, Interrupted) else nullcontext():
            if self.outputs.draws:
                self._draw(seen, rescored)
            else:
                for frame, found in zip(seen, rescored, strict=True):
                    self.outputs.write(frame.index, frame.time, None, found, None)
                    check()
        if reason is not None:
            raise reason

    def _find(self, frames: FrameStream, limit: int | None, seen: list[_Seen]) -> None:
        with self.progress("", self.video.info.frame_count) as progress, closing(frames):
            for frame, found, alone in islice(frames, limit):
                alone = None if alone is None else self._shown(alone)  # noqa: PLW2901
                seen.append(_Seen(frame.index, frame.time, found, alone))
                progress.advance()
                check()

    def _draw(self, seen: list[_Seen], rescored: list[Detections]) -> None:
        with self.progress(", drawing", len(seen)) as progress:
            for before, found, frame in zip(seen, rescored, self.video, strict=False):
                if frame.time != before.time:
                    break
                self.outputs.write(before.index, before.time, frame.image, found, before.alone)
                progress.advance()
                check()
        if self.outputs.frames < len(seen):
            raise SourceError(
                f"{self.video.info.name}: not the same as the first time from frame {self.outputs.frames} on; "
                "let nothing write to it meanwhile"
            )

    def _shown(self, found: Detections) -> Detections:
        return found.select(found.scores >= self.score_threshold)

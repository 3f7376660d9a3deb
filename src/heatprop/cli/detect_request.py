"""What `heatprop detect` is asked for of one source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heatprop.cli.counts import Counts
from heatprop.cli.drawing_options import DrawingOptions
from heatprop.cli.output_places import Format
from heatprop.io import VideoSource, open_video
from heatprop.io.addresses import shown
from heatprop.io.crop_folder import LIST
from heatprop.io.frame_range import FrameRange
from heatprop.io.outputs import is_null
from heatprop.io.results import is_stream


@dataclass(frozen=True, slots=True)
class Drawing:
    """How the annotated video is drawn.

    Attributes:
        compare: whether it shows the network alone beside propagation.
        draw_ids: whether tags have ids.
        options: the rest.
    """

    compare: bool = False
    draw_ids: bool = False
    options: DrawingOptions = field(default_factory=DrawingOptions)

    def settings(self) -> dict[str, Any]:
        """Return what the video's header says of it; what was added later stands there where it is used."""
        ids = {"draw_ids": True} if self.draw_ids else {}
        return {"compare": self.compare, **ids, **self.options.settings()}


@dataclass(frozen=True, slots=True)
class Request:
    """One source and what is wanted of it.

    Attributes:
        source: what the user gave.
        video: path of the annotated video; None for none.
        records: what has the detections as numbers: by format its path, or ``"-"`` for standard output.
        drawing: how the video is drawn.
        overwrite: whether existing files may be replaced.
        resume: whether complete files are to be skipped and unfinished ones done again.
        model: what the user gave; for the header.
        max_frames: at most so many frames; None for all.
        seq_nms: whether to find in all frames first, and rescore them.
        score_threshold: what is shown; with `seq_nms` the detector must return weaker boxes, too.
        counts: counts what is found, for the summary and more.
        table: path of the table of counts; None for none.
        crops: folder for the pictures of the objects; None for none.
        reconnect: see `heatprop.open_video`.
        frames: which part of the source is wanted.
        can_resume: whether the command can do what is unfinished again.
    """

    source: str
    video: Path | None
    records: Mapping[Format, str]
    drawing: Drawing
    overwrite: bool
    resume: bool
    model: str
    max_frames: int | None
    seq_nms: bool
    score_threshold: float
    counts: Counts
    table: Path | None = None
    crops: Path | None = None
    reconnect: float | None = None
    frames: FrameRange = field(default_factory=FrameRange)
    can_resume: bool = True

    @property
    def name(self) -> str:
        """What the source is called where room is short."""
        return Path(self.source).resolve().name if os.path.exists(self.source) else shown(self.source)

    @property
    def streams_records(self) -> bool:
        """Whether detections go where nothing is kept and asked about: standard output, a device, a pipe."""
        return any(map(is_stream, self.records.values()))

    @property
    def draws_for_nobody(self) -> bool:
        """Whether the video goes where nothing is kept."""
        return self.video is not None and is_null(self.video)

    @property
    def files(self) -> list[Path]:
        """The outputs that are kept."""
        records = [Path(target) for target in self.records.values() if not is_stream(target)]
        crops = None if self.crops is None else self.crops / LIST
        paths = (None if self.draws_for_nobody else self.video, *records, self.table, crops)
        return [path for path in paths if path is not None]

    def open(self) -> VideoSource:
        """Open the source."""
        wanted = self.frames
        return open_video(
            self.source, reconnect=self.reconnect, start=wanted.start, end=wanted.end, every=wanted.every
        )

    def for_remaining(self, remaining: Mapping[Path, int]) -> Request:
        """Return what is still to be done where only some files remain."""
        records = {
            kind: target for kind, target in self.records.items() if is_stream(target) or Path(target) in remaining
        }
        video = self.video if self.video in remaining or self.draws_for_nobody else None
        crops = self.crops if self.crops is not None and self.crops / LIST in remaining else None
        return replace(self, video=video, records=records, crops=crops, overwrite=True)

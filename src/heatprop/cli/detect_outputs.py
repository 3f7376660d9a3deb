"""The outputs of `heatprop detect`: claimed before work begins, written frame by frame, kept or discarded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from heatprop.cli.counts import Counts
from heatprop.cli.crop_output import CropOutput
from heatprop.cli.detect_header import fingerprint_of, header_of_video
from heatprop.cli.detect_request import Drawing
from heatprop.cli.frame_drawing import FrameDrawing
from heatprop.cli.output_places import Format
from heatprop.cli.record_outputs import RecordOutput
from heatprop.cli.standard_streams import ReaderLeft
from heatprop.errors import HeatpropError, OutputError
from heatprop.io import SourceInfo, VideoSink
from heatprop.io.count_table import CountTable
from heatprop.io.outputs import is_null
from heatprop.io.results import ResultsHeader
from heatprop.runtime.timings import StageTimings
from heatprop.types import Detections, ImageArray


class DetectOutputs:
    """An annotated video, files of detections, or both; a context manager that discards what was not kept.

    Args:
        info: the source.
        video: path of the annotated video; None for none.
        records: what has the detections as numbers: by format its path, or ``"-"`` for standard output.
        timings: where drawing, writing and encoding are counted.
        drawing: how the video is drawn.
        counts: begun; counts what is written.
        table: path of the table of counts; None for none.
        crops: folder for the pictures of the objects; None for none.
        overwrite: whether existing files may be replaced.
        frames_before: frames in unfinished files that are done again; what ends unfinished with fewer frames does
            not replace them.

    Attributes:
        not_replaced: files that keep what they had, since this run ended earlier.
        frames: how many frames were written.
        objects: how many detections, in all of them.
        sound_note: what was lost of the source's sound; None when nothing was.
        reader_gone: whether the reader of standard output has left, and nobody else wants the frames.
        notes: what is worth knowing of how they were written.

    Raises:
        OutputError: an output exists or cannot be written; none is left behind.
    """

    def __init__(
        self,
        info: SourceInfo,
        video: Path | None,
        records: Mapping[Format, str],
        timings: StageTimings,
        *,
        drawing: Drawing,
        counts: Counts,
        overwrite: bool,
        table: Path | None = None,
        crops: Path | None = None,
        frames_before: Mapping[Path, int] = MappingProxyType({}),
    ) -> None:
        self.not_replaced: list[Path] = []
        self._frames_before = frames_before
        self.frames = self.objects = 0
        self._timings = timings
        self.sound_note: str | None = None
        self.reader_gone = False
        self.notes: list[str] = []
        self._drawing = drawing
        self._counts = counts
        self._pictures: FrameDrawing
        self._video_header: ResultsHeader | None = None
        self._sink: VideoSink | None = None
        self._video = None if video is None or is_null(video) else video
        self._records: list[RecordOutput] = []
        self._table: CountTable | None = None
        self._table_path = table
        self._crops: CropOutput | None = None
        try:
            if crops is not None:
                self._crops = CropOutput(crops, info.sample_aspect_ratio, overwrite=overwrite)
            for kind, target in records.items():
                self._records.append(RecordOutput(kind, target, overwrite=overwrite))
            if table is not None:
                self._table = CountTable(table, overwrite=overwrite)
            if video is not None:
                self._sink = VideoSink(
                    video,
                    info,
                    overwrite=overwrite,
                    width=info.width * 2 if drawing.compare else None,
                    min_frames=frames_before.get(video, 0),
                )
        except BaseException:
            self.discard()
            raise

    @property
    def needs_images(self) -> bool:
        """Whether `write` needs images: for a video, or for pictures of the objects."""
        return self._sink is not None or self._crops is not None

    def begin(self, header: ResultsHeader, *, mark_new: bool, rescored: bool = False) -> None:
        """Take over the classes, and write what stands before the frames.

        Args:
            header: of the detections.
            mark_new: see `draw`.
            rescored: whether Seq-NMS works on the detections, for the caption of `compare`.

        Raises:
            BrokenPipeError: standard output was closed, and there is no other output to go on with.
            OutputError: the header cannot be written.
        """
        self._video_header = header_of_video(header, self._drawing)
        if self._sink is not None:
            self._sink.made_from = fingerprint_of(self._video_header)
        self._pictures = FrameDrawing(
            self._drawing,
            self._counts,
            header.classes,
            mark_new=mark_new,
            rescored=rescored,
            shown_at=1.0 if self._sink is None else self._sink.shown_at,
        )
        for record in [*self._records]:
            with self._reader_may_leave(record):
                record.begin(header)
        if self._crops is not None:
            self._crops.begin(header)

    def write(
        self, index: int, time: float, image: ImageArray | None, detections: Detections, alone: Detections | None
    ) -> None:
        """Write one frame to all outputs.

        Args:
            index: number of the frame.
            time: in seconds.
            image: of the frame; may be None where none is needed.
            detections: of the frame.
            alone: detections of the network alone, for `compare`.

        Raises:
            BrokenPipeError: standard output was closed, and there is no other output to go on with.
            OutputError: an output failed; what was written before is whole.
        """
        self._counts.update(time, detections)
        if self._table is not None:
            self._table.write(index, time, self._counts.rows())
        for record in [*self._records]:
            with self._reader_may_leave(record), self._timings.measured("record"):
                record.write(index, time, detections)
        if self._crops is not None and image is not None:
            self._crops.write(index, time, image, detections)
        if self._sink is not None and image is not None:
            with self._timings.measured("draw"):
                drawn = self._pictures.draw(time, image, detections, alone)
            self._sink.write(drawn, time)
        self.frames += 1
        self.objects += len(detections)

    @contextmanager
    def _reader_may_leave(self, record: RecordOutput) -> Iterator[None]:
        """Go on with the other outputs when whoever reads standard output has read enough."""
        try:
            yield
        except (BrokenPipeError, ReaderLeft):
            record.let_go()
            self._records.remove(record)
            self.notes.append(f"whoever read the results left at frame {self.frames:,}; the rest of them is lost")
            if not self.needs_images and not self._records:
                self.reader_gone = True
                raise BrokenPipeError from None
        except OutputError:
            record.let_go()
            raise

    def keep(self, *, complete: bool) -> tuple[list[Path], list[Exception]]:
        """Finish all outputs and name them. Where no frame was finished, nothing is left behind.

        Args:
            complete: whether the source was read to its end, or as far as was asked for; the files say so.

        Returns:
            The files, and what went wrong.
        """
        written: list[Path] = []
        problems: list[Exception] = []
        if not self.frames:
            self.discard()
            return written, problems
        sink, records, table, crops = self._sink, self._records, self._table, self._crops
        self._sink, self._records, self._table, self._crops = None, [], None, None
        outputs = (
            (sink, self._video),
            *((each, each.path) for each in records),
            (table, self._table_path),
            (crops, None if crops is None else crops.folder),
        )
        for output, path in outputs:
            if output is None or (isinstance(output, RecordOutput) and output.is_lost):
                continue
            try:
                if not complete and path is not None and self.frames < self._frames_before.get(path, 0):
                    output.discard()
                    self.not_replaced.append(path)
                    continue
                if isinstance(output, VideoSink):
                    output.close(complete=complete, header=self._video_header)
                else:
                    output.close(complete=complete)
            except (BrokenPipeError, ReaderLeft):
                if isinstance(output, RecordOutput):
                    output.let_go()
            except HeatpropError as problem:
                problems.append(problem)
            else:
                written += [path] if path and path.exists() else []
        if sink is not None:
            self.sound_note, self._timings.encode = sink.audio_note, sink.encoding_seconds
        return written, problems

    def discard(self) -> None:
        """Leave no file behind, except what was kept."""
        for output in (self._sink, *self._records, self._table, self._crops):
            if output is not None:
                output.discard()
        self._sink, self._records, self._table, self._crops = None, [], None, None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

"""Files of what a run shows: each format takes frames one by one, and its file appears whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from heatprop.interop.mot_text import mot_lines
from heatprop.io.detection_parquet import DetectionParquet
from heatprop.io.detection_table import DetectionTable
from heatprop.io.outputs import OutputFile
from heatprop.io.results import ResultsHeader, ResultsWriter
from heatprop.types import Detections

Numbered: TypeAlias = tuple[int, float, Detections]
"""Number of a frame, its time in seconds, and what is found in it."""


class Writer(Protocol):
    """Writes detections frame by frame."""

    def write(self, index: int, time: float, detections: Detections) -> None:
        """Add a frame."""

    def close(self) -> None:
        """Finish the file."""

    def discard(self) -> None:
        """Leave no file behind."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What files say besides detections.

    Attributes:
        header: what made the detections.
        width: of the frames in pixels.
        height: likewise.
    """

    header: ResultsHeader
    width: int
    height: int


WriteFile: TypeAlias = Callable[[Path, Facts, Iterable[Numbered]], None]


def write_json_lines(path: Path, facts: Facts, frames: Iterable[Numbered]) -> None:
    """Write what `heatprop detect --json` writes."""
    _write_all(ResultsWriter(path, facts.header), frames)


def write_csv(path: Path, facts: Facts, frames: Iterable[Numbered]) -> None:
    """Write what `heatprop detect --csv` writes; what it says of itself lies beside it."""
    _write_all(DetectionTable(path, facts.header), frames)


def write_parquet(path: Path, facts: Facts, frames: Iterable[Numbered]) -> None:
    """Write what `heatprop detect --parquet` writes.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    _write_all(DetectionParquet(path, facts.header), frames)


def write_mot(path: Path, facts: Facts, frames: Iterable[Numbered]) -> None:
    """Write MOTChallenge's text: frames and ids count from 1, and so do classes."""
    del facts

    def steps() -> Iterator[tuple[int, Detections]]:
        for index, _, found in frames:
            yield (
                index + 1,
                Detections(found.boxes, found.scores, found.labels + 1, found.lengths, found.track_ids),
            )

    _write_text(path, mot_lines(steps()))


def write_coco(path: Path, facts: Facts, frames: Iterable[Numbered]) -> None:
    """Write an object as COCO and CocoVID have annotations, with a score and a track in each.

    Category and image ids count from 1; `frame_id` is the number of the frame in the source.
    """
    categories = [{"id": label, "name": name} for label, name in enumerate(facts.header.classes, start=1)]
    video = {"id": 1, "name": str(facts.header.source.get("name", "video"))}

    def text() -> Iterator[str]:
        images: list[tuple[int, float]] = []
        yield f'{{"videos":[{json.dumps(video)}],\n"categories":{json.dumps(categories)},\n"annotations":['
        count = 0
        for index, time, found in frames:
            images.append((index, time))
            for entry in _coco_entries(index, found):
                count += 1
                yield f"{',' if count > 1 else ''}\n{json.dumps({'id': count, **entry})}"
        yield '],\n"images":['
        for place, (index, time) in enumerate(images):
            image = {
                "id": index + 1,
                "video_id": 1,
                "frame_id": index,
                "file_name": f"{index:06d}.jpg",
                "width": facts.width,
                "height": facts.height,
                "time": round(time, 6),
            }
            yield f"{',' if place else ''}\n{json.dumps(image)}"
        yield "]}\n"

    _write_text(path, text())


def _coco_entries(index: int, found: Detections) -> Iterator[dict[str, object]]:
    columns: Sequence[list[float]] = (found.labels.tolist(), found.scores.tolist(), found.track_ids.tolist())
    for box, label, score, track in zip(found.boxes.astype(float).tolist(), *columns, strict=True):
        x1, y1, x2, y2 = (round(side, 2) for side in box)
        width, height = round(x2 - x1, 2), round(y2 - y1, 2)
        entry: dict[str, object] = {
            "image_id": index + 1,
            "category_id": int(label) + 1,
            "bbox": [x1, y1, width, height],
            "area": round(width * height, 2),
            "score": round(score, 4),
            "iscrowd": 0,
        }
        yield entry | ({"track_id": int(track)} if track >= 0 else {})


def _write_all(writer: Writer, frames: Iterable[Numbered]) -> None:
    try:
        for index, time, found in frames:
            writer.write(index, time, found)
    except BaseException:
        writer.discard()
        raise
    writer.close()


def _write_text(path: Path, lines: Iterable[str]) -> None:
    with OutputFile(path) as output, output.partial.open("w", encoding="utf-8") as file:
        file.writelines(lines)

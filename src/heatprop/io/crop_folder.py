"""A folder with a picture of each object: its best sighting; and a list that says what each is.

    crops/person-12.jpg
    crops/crops.jsonl

The list has the header of JSON Lines, a line a picture, and their end:

    {"format": "heatprop-crops", "version": 2, "heatprop": "0.1.0", "source": {...}, "model": "mb3-coco", ...}
    {"file": "person-12.jpg", "id": 12, "class": "person", "score": 0.91, "frame": 40, "time": 1.6,
     "box": [x1, y1, x2, y2]}
    {"end": {"frames": 120, "complete": true}}

Of an object that was gone, came back and was seen better there are two lines, and the later one holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from heatprop.errors import OutputError, OutputExistsError
from heatprop.io.best_sightings import BestSightings, Sighting
from heatprop.io.completeness import CROPS_FORMAT
from heatprop.io.line_file import LineFile
from heatprop.io.outputs import OutputFile
from heatprop.io.results_header import ResultsHeader
from heatprop.io.whole_files import write_whole
from heatprop.types import Detections, Frame, ImageArray

LIST = "crops.jsonl"
_QUALITY = 95
_NAME = re.compile(r"[\w.-]+-\d+\.jpg")
_LONGEST = 50


def picture_name(kind: str, track_id: int) -> str:
    """Return what the picture of an object is called.

    Example:
        >>> picture_name("traffic light", 3), picture_name("../../etc", 0), picture_name("自転車", 12)
        ('traffic-light-3.jpg', 'etc-0.jpg', '自転車-12.jpg')
    """
    plain = re.sub(r"[^\w.-]+", "-", kind)[:_LONGEST].strip("-.")
    return f"{plain or 'object'}-{track_id}.jpg"


class CropFolder:
    """Writes one picture an object as JPEG: its best sighting, when it is gone or the video ends.

    Best is, in this order: a box clear of the frame's border, the highest score to two decimals, the largest box.
    The list has its name after `close`; until then it grows beside it (see `OutputFile`). What earlier runs wrote
    into the folder is removed with the first frame.

    Args:
        target: a folder, or its list, already claimed.
        header: what made the detections.
        overwrite: whether an existing list and its pictures may be replaced.
        sample_aspect_ratio: width of a pixel over its height; pictures are scaled to square ones.
        best: chooses the sightings.

    Raises:
        OutputExistsError: the list exists and `overwrite` is False, or there are such pictures that no list names.
        OutputError: it cannot be written.
    """

    def __init__(
        self,
        target: str | Path | OutputFile,
        header: ResultsHeader,
        *,
        overwrite: bool = False,
        sample_aspect_ratio: Fraction = Fraction(1),
        best: BestSightings | None = None,
    ) -> None:
        self.folder = target.path.parent if isinstance(target, OutputFile) else Path(target)
        self._header, self._ratio = header, float(sample_aspect_ratio)
        self._best = BestSightings() if best is None else best
        self._frames, self._is_open, self._is_whole = 0, True, True
        self._old = earlier_pictures(self.folder, overwrite=overwrite)
        claimed = target if isinstance(target, OutputFile) else self.folder / LIST
        self._lines = LineFile(claimed, overwrite=overwrite)
        try:
            self._write_line({**header.to_json(), "format": CROPS_FORMAT})
        except BaseException:
            self._lines.discard()
            raise

    def write(self, index: int, time: float, image: ImageArray, detections: Detections) -> None:
        """Look at the next frame, and write the pictures of objects that are gone.

        Args:
            index: its number.
            time: in seconds.
            image: uint8 ``(H, W, 3)`` RGB.
            detections: with boxes in its pixels, and ids.

        Raises:
            OutputError: one cannot be written (a full disk).
        """
        self._is_whole, was_whole = False, self._is_whole
        if not self._frames:
            self._remove(self._old)
        self._write_pictures(self._best.update(Frame(image, index, time), detections))
        self._frames += 1
        self._is_whole = was_whole

    def close(self, *, complete: bool = True) -> None:
        """Write the pictures of the objects still in view, and the end; further calls do nothing.

        Args:
            complete: whether these are all the frames that were to be looked at. One that failed makes it False.

        Raises:
            OutputError: something cannot be written or renamed.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            try:
                self._write_pictures(self._best.rest())
            except BaseException:
                self._is_whole = False
                raise
            finally:
                end = {"frames": self._frames, "complete": complete and self._is_whole}
                self._write_line({"end": end})
        except OutputError:
            # On a full disk: a list without an end is known as unfinished, too.
            if complete:
                raise
        finally:
            self._lines.finish()

    def discard(self) -> None:
        """Finish, and leave neither list nor pictures of this run behind."""
        self._is_open = False
        if self._lines.output is not None and self._frames:
            self._remove(_listed(self._lines.output.partial))
        self._lines.discard()

    def _write_pictures(self, sightings: Iterable[Sighting]) -> None:
        for each in sightings:
            kind = self._header.classes[each.label]
            name = picture_name(kind, each.track_id)
            line = {
                "file": name,
                "id": each.track_id,
                "class": kind,
                "score": round(each.score, 4),
                "frame": each.index,
                "time": round(each.time, 6),
                "box": [round(value, 2) for value in each.box],
            }
            self._write_line(line)
            data = _encoded(each.image, self._ratio)
            write_whole(self.folder / name, partial(_write_bytes, data))

    def _write_line(self, value: dict[str, Any]) -> None:
        self._lines.write(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def earlier_pictures(folder: Path, *, overwrite: bool) -> list[str]:
    """Return the pictures of earlier runs in a folder, by the lists there.

    Args:
        folder: exists. What has its name is claimed, so that no living process writes there.
        overwrite: whether lists that killed runs left count, too.

    Raises:
        OutputExistsError: there are pictures named as crops are, and no list names them.
        OutputError: the folder cannot be read.
    """
    try:
        there = {each.name for each in folder.iterdir() if _NAME.fullmatch(each.name)}
        lists = [folder / LIST, *(folder.glob(f"{Path(LIST).stem}.part*.jsonl") if overwrite else ())]
        known = {name for path in lists for name in _listed(path)}
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read ({error.strerror}); choose another folder") from None
    if foreign := sorted(there - known):
        raise OutputExistsError(
            f"{folder / foreign[0]} exists already, and no {LIST} names it; choose another folder, or move it away"
        )
    return sorted(there)


def _listed(path: Path) -> Iterator[str]:
    """Return the pictures that a list names; none where there is no list."""
    try:
        with path.open("rb") as file:
            if CROPS_FORMAT.encode() not in file.readline():
                return
            for line in file:
                try:
                    name = json.loads(line).get("file")
                except (ValueError, AttributeError, RecursionError):
                    continue
                if isinstance(name, str) and _NAME.fullmatch(name):
                    yield name
    except FileNotFoundError:
        return


def _encoded(image: ImageArray, ratio: float) -> bytes:
    if ratio != 1:
        height, width = image.shape[:2]
        size = (max(1, round(width * ratio)), height) if ratio > 1 else (width, max(1, round(height / ratio)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    pixels = np.ascontiguousarray(image)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorspace="RGB", colorsubsampling="444"))


def _write_bytes(data: bytes, path: Path) -> None:
    path.write_bytes(data)

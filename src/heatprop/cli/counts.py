"""What a run counts: different objects, and with `heatprop count` lines and zones, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heatprop.cli.shapes import Shape
from heatprop.cli.summary import by_class
from heatprop.counting import Anchor, LineCounter, ObjectCounter, ZoneCounter
from heatprop.counting.geometry import Point
from heatprop.drawing import draw_counts
from heatprop.errors import InvalidConfigError
from heatprop.io import SourceInfo
from heatprop.io.count_table import ALL, CountRow
from heatprop.types import Detections, ImageArray

_WAYS = ("left to right", "right to left")


class Counts:
    """The numbers of one source, frame by frame.

    Args:
        least_frames: in how many frames an object is seen that counts as one of the different ones.
        shapes: lines and zones to count at.
        anchor: which point of a box counts there.

    Attributes:
        objects: counts the different objects.
        frames: how many frames were counted.
        seconds: the time of the last one.
    """

    def __init__(self, least_frames: int, shapes: Sequence[Shape] = (), anchor: Anchor = "bottom") -> None:
        self.objects = ObjectCounter(least_frames)
        self.frames, self.seconds = 0, 0.0
        self._shapes, self._anchor = shapes, anchor
        self._classes: Sequence[str] = ()
        self._points: dict[str, list[Point]] = {}
        self._lines: dict[str, LineCounter] = {}
        self._zones: dict[str, ZoneCounter] = {}

    def begin(self, info: SourceInfo, classes: Sequence[str]) -> None:
        """Lay lines and zones into the frames of a source.

        Args:
            info: of the source.
            classes: of the model.

        Raises:
            InvalidConfigError: one is nothing that can be counted at, or lies outside of the frame.
        """
        self._classes = classes
        for shape in self._shapes:
            points = self._points[shape.name] = shape.points_in(info.width, info.height)
            try:
                if shape.kind == "line":
                    self._lines[shape.name] = LineCounter(points[0], points[1], anchor=self._anchor)
                else:
                    self._zones[shape.name] = ZoneCounter(
                        points, anchor=self._anchor, least_frames=self.objects.least_frames
                    )
            except InvalidConfigError as problem:
                raise InvalidConfigError(f"--{shape.kind} {shape.name}: {problem}") from None

    @property
    def settings(self) -> dict[str, Any]:
        """What the header of a video says of it; nothing where there are neither lines nor zones."""
        return {"counted": self._points, "anchor": self._anchor} if self._shapes else {}

    def update(self, time: float, detections: Detections) -> None:
        """Count the next frame, at its time in seconds."""
        self.objects.update(detections)
        for line in self._lines.values():
            line.update(detections)
        for zone in self._zones.values():
            zone.update(detections)
        self.frames, self.seconds = self.frames + 1, time

    def draw(self, image: ImageArray, *, shown_at: float = 1.0) -> ImageArray:
        """Return an image with the lines and zones, and their numbers; see `draw_counts`."""
        return draw_counts(image, self._lines, self._zones, shown_at=shown_at) if self._shapes else image

    def distinct(self) -> dict[str, int]:
        """Return how many different objects there were, by name of class."""
        return self._named(self.objects.counts)

    def rows(self) -> Iterator[CountRow]:
        """Return the rows of the last frame."""
        yield from self._rows("objects", "", "", self.objects.counts)
        for name, line in self._lines.items():
            for way, counts in zip(_WAYS, (line.left_to_right, line.right_to_left), strict=True):
                yield from self._rows("line", name, way, counts)
        for name, zone in self._zones.items():
            # What was in it once is in every row from then on, so that columns made of them have no gaps.
            now = dict.fromkeys(zone.seen, 0) | dict(zone.inside)
            yield from self._rows("zone", name, "", now)

    def table(self) -> list[str]:
        """Return the numbers as lines of text: what is counted, how often, and of which classes."""
        frames = f"{self.objects.least_frames:,} frame{'s' if self.objects.least_frames > 1 else ''}"
        rows = [("", "all", "by class"), _row("different objects", self.distinct())]
        for name, line in self._lines.items():
            for way, counts in zip(_WAYS, (line.left_to_right, line.right_to_left), strict=True):
                rows.append(_row(f"{name}: {way}", self._named(counts)))
        for name, zone in self._zones.items():
            rows += [
                _row(f"{name}: different objects", self._named(zone.objects.counts)),
                _row(f"{name}: in it at the end", self._named(zone.inside)),
                (f"{name}: at most at once", f"{zone.most:,}", ""),
                (f"{name}: on average", f"{zone.mean:,.1f}", ""),
            ]
        first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines = [f"{what:{first}}  {number:>{second}}  {kinds}".rstrip() for what, number, kinds in rows]
        return [*lines, f"Different objects are those seen in at least {frames}."]

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, by name."""
        return {
            "frames": self.frames,
            "seconds": round(self.seconds, 6),
            "least_frames": self.objects.least_frames,
            "objects": self._summed(self.objects.counts),
            "lines": [
                {
                    "name": name,
                    "points": self._points[name],
                    "left_to_right": self._summed(line.left_to_right),
                    "right_to_left": self._summed(line.right_to_left),
                }
                for name, line in self._lines.items()
            ],
            "zones": [
                {
                    "name": name,
                    "points": self._points[name],
                    "objects": self._summed(zone.objects.counts),
                    "inside_at_end": self._summed(zone.inside),
                    "most": zone.most,
                    "mean": round(zone.mean, 4),
                }
                for name, zone in self._zones.items()
            ],
        }

    def _rows(self, what: str, name: str, way: str, counts: Mapping[int, int]) -> Iterator[CountRow]:
        yield CountRow(what, name, way, ALL, sum(counts.values()))
        for kind, number in self._named(counts).items():
            yield CountRow(what, name, way, kind, number)

    def _named(self, counts: Mapping[int, int]) -> dict[str, int]:
        return {self._classes[label]: counts[label] for label in sorted(counts)}

    def _summed(self, counts: Mapping[int, int]) -> dict[str, Any]:
        return {"all": sum(counts.values()), "by_class": self._named(counts)}


def _row(what: str, counts: Mapping[str, int]) -> tuple[str, str, str]:
    return what, f"{sum(counts.values()):,}", by_class(counts)

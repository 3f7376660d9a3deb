"""Lines and zones as the command line has them: a name, and coordinates in pixels or shares of the frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from heatprop.counting.geometry import Point
from heatprop.errors import InvalidConfigError, shortened

_KINDS = {"line": "x1,y1,x2,y2", "zone": "x1,y1,x2,y2,x3,y3 or more"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A line or a zone, of any frame.

    Attributes:
        kind: ``"line"`` or ``"zone"``.
        name: its own, or one made of its number.
        values: x and y of each point in turn.
        are_shares: of each value, whether it is a share of width or height in percent, not pixels.
    """

    kind: str
    name: str
    values: tuple[float, ...]
    are_shares: tuple[bool, ...]

    def points_in(self, width: int, height: int) -> list[Point]:
        """Return its points in pixels of a frame.

        Raises:
            InvalidConfigError: one lies outside of the frame.
        """
        sides = (width, height) * (len(self.values) // 2)
        numbers = [
            value * side / 100 if is_share else value
            for value, is_share, side in zip(self.values, self.are_shares, sides, strict=True)
        ]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        for x, y in points:
            if not (0 <= x <= width and 0 <= y <= height):
                raise InvalidConfigError(
                    f"--{self.kind} {self.name} has the point {x:g},{y:g}, which lies outside of the frame, "
                    f"{width}x{height}; give points from 0,0 to {width},{height}"
                )
        return points


def read_shapes(lines: Sequence[str], zones: Sequence[str]) -> list[Shape]:
    """Read what was said of lines and zones: ``x1,y1,x2,y2,...`` or ``NAME=x1,y1,...``; shares end in %.

    Raises:
        InvalidConfigError: it is nothing of the kind, or two have one name.

    Example:
        >>> door, second = read_shapes(["door=0,50%,100%,50%", "4,0,4,9"], [])
        >>> door.name, door.points_in(640, 272), second.name
        ('door', [(0.0, 136.0), (640.0, 136.0)], 'line 2')
    """
    shapes = [
        _read(kind, number, text)
        for kind, texts in (("line", lines), ("zone", zones))
        for number, text in enumerate(texts, start=1)
    ]
    twice = [name for name, times in Counter(shape.name for shape in shapes).items() if times > 1]
    if twice:
        raise InvalidConfigError(f"two lines or zones are called {twice[0]!r}; give each a name of its own")
    return shapes


def _read(kind: str, number: int, text: str) -> Shape:
    name, equals, coordinates = text.rpartition("=")
    name = name.strip()
    if equals and not (name and name.isprintable()):
        raise InvalidConfigError(f"--{kind} {shortened(text)!r} has no name before =; write NAME={_KINDS[kind]}")
    words = [word.strip() for word in coordinates.split(",")]
    values = []
    for word in words:
        try:
            values.append(float(word.removesuffix("%")))
        except ValueError:
            values.append(float("nan"))
        if not isfinite(values[-1]):
            raise InvalidConfigError(
                f"--{kind} {shortened(text)} has {shortened(word)!r} for a number; write {_KINDS[kind]}"
            )
    is_fit = len(values) == 4 if kind == "line" else len(values) >= 6 and len(values) % 2 == 0
    if not is_fit:
        raise InvalidConfigError(f"--{kind} {shortened(text)} has {len(values)} numbers; write {_KINDS[kind]}")
    shares = tuple(word.endswith("%") for word in words)
    return Shape(kind, name or f"{kind} {number}", tuple(values), shares)

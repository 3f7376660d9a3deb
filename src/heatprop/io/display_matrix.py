"""The display matrix that comes with a frame, read without whatever else comes with it."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
from av.sidedata.sidedata import Type

# Numbers of libav's kinds of side data, with room for those that it will have.
_KINDS = range(64)
_MATRIX = int(cast(int, Type["DISPLAYMATRIX"].value))


class DisplayMatrixReader:
    """Reads the display matrices of frames, one after another.

    PyAV raises where it does not know a kind of side data, and frees twice what describes another. So libav's
    filter takes all other kinds from a frame that has a matrix before PyAV reads them.
    """

    def __init__(self) -> None:
        self._fits: tuple[str, int, int] | None = None

    def read(self, frame: av.VideoFrame) -> bytes | None:
        """Return the nine whole numbers of the matrix as they lie in memory, None where there is none."""
        fits = frame.format.name, frame.width, frame.height
        if self._fits != fits:
            self._select = _graph(frame, [{"mode": "select", "type": str(_MATRIX)}])
            others = (kind for kind in _KINDS if kind != _MATRIX)
            self._strip = _graph(frame, [{"mode": "delete", "type": str(kind)} for kind in others])
            self._fits = fits
        self._select.push(frame)
        try:
            selected = self._select.pull()
        except av.BlockingIOError:
            return None
        self._strip.push(selected)
        stripped = self._strip.pull()
        assert isinstance(stripped, av.VideoFrame)
        matrix = stripped.side_data.get("DISPLAYMATRIX")
        return None if matrix is None else bytes(cast(memoryview, matrix))


def _graph(frame: av.VideoFrame, steps: list[dict[str, str]]) -> av.filter.Graph:
    graph = av.filter.Graph()
    last = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    for step in steps:
        following = graph.add("sidedata", **step)
        last.link_to(following)
        last = following
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph

"""Frames in other colours than BT.709, high dynamic range above all -> BT.709, by a table for libav's filter.

Transfer functions: SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG) as in Recommendation ITU-R BT.2100; the level of
white in both as in Report ITU-R BT.2408.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

# Numbers of H.273.
_PQ, _HLG = 16, 18
_TRANSFERS = MappingProxyType({_PQ: "PQ", _HLG: "HLG"})
_PRIMARIES = MappingProxyType({9: "BT.2020", 11: "DCI-P3", 12: "Display P3"})
_BT709, _BT2020 = 1, 9
# x and y of red, green, blue and white.
_CHROMATICITIES = MappingProxyType(
    {
        1: ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3127, 0.329)),
        9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), (0.3127, 0.329)),
        11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),
        12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329)),
    }
)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

# What is white in a scene: in cd/m², and for HLG as a share of the most light, a signal of 0.75.
_PQ_WHITE = 203.0
_HLG_WHITE = 0.2646
_DISPLAY_GAMMA = 2.2
_SYSTEM_GAMMA = 1.2
# Up to this level frames stay as they are; all that is brighter shares the rest.
_KNEE = 0.8
_NODES = 33


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """What a stream says of its colours, beside matrix and range.

    Attributes:
        transfer: number of the transfer characteristics (H.273).
        primaries: number of the colour primaries (H.273).
    """

    transfer: int = 2
    primaries: int = 2

    @property
    def name(self) -> str | None:
        """What it is called where frames are converted to BT.709; None where they are left as they are."""
        transfer = _TRANSFERS.get(self.transfer)
        primaries = _PRIMARIES.get(self.primaries)
        if transfer is not None:
            return f"{primaries or ('BT.709' if self.primaries == _BT709 else 'BT.2020')} {transfer}"
        return primaries

    def to_bt709(self, signal: Values) -> Values:
        """Return R'G'B' in BT.709 for R'G'B' in this colour space; both 0 to 1, channels last.

        White of a scene with high dynamic range becomes nearly white, and what is brighter is compressed.

        Example:
            >>> grey = ColourSpace(transfer=16, primaries=9).to_bt709(np.full(3, 0.58))
            >>> grey.round(2)
            array([0.93, 0.93, 0.93])
        """
        gamma = _DISPLAY_GAMMA
        if self.transfer == _PQ:
            light = pq_light(signal) / _PQ_WHITE
        elif self.transfer == _HLG:
            # What is in front of the camera: a display of any range adds its own contrast.
            light = hlg_scene(signal) / _HLG_WHITE
            gamma = _DISPLAY_GAMMA / _SYSTEM_GAMMA
        else:
            light = signal**_DISPLAY_GAMMA
        default = _BT2020 if self.transfer in _TRANSFERS else _BT709
        primaries = self.primaries if self.primaries in _CHROMATICITIES else default
        light = np.maximum(light @ primaries_to_bt709(primaries).T, 0.0)
        level = light.max(axis=-1, keepdims=True) ** (1 / gamma)
        shown = light ** (1 / gamma)
        if self.transfer in _TRANSFERS:
            shown *= compress(level) / np.maximum(level, 1e-9)
        return np.asarray(np.clip(shown, 0.0, 1.0))


UNSAID = ColourSpace()


def pq_light(signal: Values) -> Values:
    """Return the light in cd/m² that a PQ signal from 0 to 1 stands for.

    Example:
        >>> pq_light(np.array([0.0, 0.5081, 1.0])).round(1)
        array([    0.,   100., 10000.])
    """
    root = signal ** (1 / 78.84375)
    return np.asarray(
        10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    )


def hlg_scene(signal: Values) -> Values:
    """Return the light in front of the camera, 0 to 1, that an HLG signal from 0 to 1 stands for.

    Example:
        >>> hlg_scene(np.array([0.0, 0.5, 0.75, 1.0])).round(3)
        array([0.   , 0.083, 0.265, 1.   ])
    """
    bright = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(signal <= 0.5, signal**2 / 3, bright)


def compress(level: Values) -> Values:
    """Return levels from 0 on, 1 for white, brought below 1: unchanged up to the knee, then ever less.

    Example:
        >>> compress(np.array([0.5, 0.8, 1.0, 2.0])).round(2)
        array([0.5 , 0.8 , 0.93, 1.  ])
    """
    room = 1 - _KNEE
    return np.where(level <= _KNEE, level, 1 - room * np.exp(-(np.maximum(level, _KNEE) - _KNEE) / room))


def primaries_to_bt709(primaries: int) -> Values:
    """Return the matrix 3 x 3 from linear RGB with these primaries (number of H.273) to that of BT.709."""
    source, white = _to_xyz(_CHROMATICITIES[primaries])
    target, target_white = _to_xyz(_CHROMATICITIES[_BT709])
    gain = (_BRADFORD @ target_white) / (_BRADFORD @ white)
    return np.asarray(np.linalg.inv(target) @ np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD @ source)


def _to_xyz(chromaticities: tuple[tuple[float, float], ...]) -> tuple[Values, Values]:
    """Return the matrix from linear RGB to CIE XYZ, and white in XYZ."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in chromaticities]).T
    red_green_blue, white = columns[:, :3], columns[:, 3]
    return red_green_blue * np.linalg.solve(red_green_blue, white), white


class ColourFilter:
    """Converts frames of one colour space and size to BT.709, by libav's filter for tables in three dimensions.

    Args:
        colours: the colour space.
        width: in pixels.
        height: in pixels.
    """

    FORMAT = "rgb48le"

    def __init__(self, colours: ColourSpace, width: int, height: int) -> None:
        self.fits = (colours, width, height)
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat(self.FORMAT), time_base=Fraction(1, 25)
        )
        with tempfile.TemporaryDirectory(prefix="heatprop-") as folder:
            table = Path(folder) / "to-bt709.cube"
            table.write_text(as_cube(colours))
            middle = graph.add("lut3d", file=str(table))
        sink = graph.add("buffersink")
        source.link_to(middle)
        middle.link_to(sink)
        graph.configure()
        self._graph = graph

    def convert(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame, in the format `FORMAT`, converted."""
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        self._graph.push(frame)
        converted = self._graph.pull()
        assert isinstance(converted, av.VideoFrame)
        return converted


def as_cube(colours: ColourSpace) -> str:
    """Return the conversion as a table in the form of Adobe's Cube LUT, red running fastest."""
    line = np.linspace(0, 1, _NODES)
    blue, green, red = np.meshgrid(line, line, line, indexing="ij")
    values = colours.to_bt709(np.stack([red, green, blue], axis=-1)).reshape(-1, 3)
    rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in values.tolist())
    return f"LUT_3D_SIZE {_NODES}\n{rows}\n"

"""A network's output in few bytes: only cells that matter, 16 bits a number.

A heatmap is almost everywhere almost 0. Cells below a *floor* are dropped, and so are sizes and offsets where no
class reaches it. A score is kept as a whole number of 65535ths: as many bits as half precision, a step that is the
same everywhere (half precision steps 32 times as far at 0.5), hence fewer neighbours that become equal. A size or
offset is kept in half precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import cells_above
from heatprop.types import Detections, DetectorOutput, FloatArray, HeadOutput, IntArray

SCORE_STEPS = 65535
SCORE_ERROR = 0.5 / SCORE_STEPS + 2**-24
"""How far a score that is kept can move: half a step, and the rounding of float32."""
SIZE_ERROR = 2.0**-11
"""How far a size or offset that is kept can move, as a share of itself (and at most 2^-25 for tiny ones)."""
_LARGEST_HALF = float(np.finfo(np.float16).max)
_MIDDLE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SparseOutput:
    """What is kept of a `HeadOutput`.

    Attributes:
        shape: ``(C, H, W)`` of the heatmap.
        cells: flat indices of the cells that are kept, int64 ``(N,)``, ascending.
        scores: the heatmap there in 65535ths, uint16 ``(N,)``.
        sizes: float16 ``(M, 2)`` or ``(M, 4)`` in cells, one row for each place ``y * W + x`` at which some class
            is kept, ascending.
        offsets: float16 ``(M, 2)`` in cells, or None.
    """

    shape: tuple[int, int, int]
    cells: IntArray
    scores: NDArray[np.uint16]
    sizes: NDArray[np.float16]
    offsets: NDArray[np.float16] | None

    def dense(self) -> HeadOutput:
        """Return the output again: 0 where the heatmap was dropped, sizes of 0 and offsets of 0.5 likewise.

        Propagation gives such a size the weight 0; an offset of 0.5 is the middle of the cell.
        """
        classes, height, width = self.shape
        heatmap = np.zeros(classes * height * width, np.float32)
        heatmap[self.cells] = self.scores * np.float32(1 / SCORE_STEPS)
        places = places_of(self.cells, self.shape)
        size = np.zeros((self.sizes.shape[1], height * width), np.float32)
        size[:, places] = self.sizes.T
        offset: FloatArray | None = None
        if self.offsets is not None:
            flat = np.full((2, height * width), _MIDDLE, np.float32)
            flat[:, places] = self.offsets.T
            offset = flat.reshape(2, height, width)
        return HeadOutput(heatmap.reshape(self.shape), size.reshape(-1, height, width), offset)


KeptOutput: TypeAlias = SparseOutput | Detections
"""What is kept of a network's output: boxes are few, and stay as they are."""


def restored(kept: KeptOutput) -> DetectorOutput:
    """Return the output that is left of what was kept."""
    return kept.dense() if isinstance(kept, SparseOutput) else kept


def sparsify(output: DetectorOutput, floor: float) -> KeptOutput:
    """Keep a network's output where its scores are at least `floor`.

    Args:
        output: of one frame.
        floor: in [0, 1]; 0 keeps every cell.

    Raises:
        InvalidArrayError: the heatmap leaves [0, 1] or holds NaN.

    Example:
        >>> heatmap = np.zeros((1, 2, 3))
        >>> heatmap[0, 1, 2] = 0.75
        >>> kept = sparsify(HeadOutput(heatmap, np.full((2, 2, 3), 4.0)), floor=0.01)
        >>> kept.cells.tolist(), kept.scores.tolist(), kept.sizes.tolist()
        ([5], [49151], [[4.0, 4.0]])
    """
    if isinstance(output, Detections):
        return output.select(output.scores >= np.float32(floor))
    cells = cells_above(output.heatmap, floor)
    shape = (output.heatmap.shape[0], *output.grid)
    scores = np.rint(output.heatmap.reshape(-1)[cells].astype(np.float64) * SCORE_STEPS).astype(np.uint16)
    places = places_of(cells, shape)
    offsets = None if output.offset is None else _at(output.offset, places)
    return SparseOutput(shape, cells, scores, _at(output.size, places), offsets)


def places_of(cells: IntArray, shape: tuple[int, int, int]) -> IntArray:
    """Return the places ``y * W + x``, ascending, each once, of flat indices into ``(C, H, W)``.

    >>> places_of(np.array([1, 3, 7]), (2, 2, 2)).tolist()
    [1, 3]
    """
    area = shape[1] * shape[2]
    taken = np.zeros(area, np.bool_)
    taken[cells % area] = True
    return np.flatnonzero(taken)


def check_sparse(output: SparseOutput) -> None:
    """Check that an output that was read from a file can be made dense.

    Raises:
        InvalidArrayError: its parts do not fit together.
    """
    cells, count = output.cells, len(output.cells)
    if min(output.shape) < 1 or len(output.scores) != count:
        raise InvalidArrayError(f"{len(output.scores)} scores for {count} cells on a heatmap of {output.shape}")
    if count and not (cells[0] >= 0 and cells[-1] < np.prod(output.shape) and (np.diff(cells) > 0).all()):
        raise InvalidArrayError(f"its cells are not ascending within a heatmap of {output.shape}")
    places = len(places_of(cells, output.shape))
    rows = {len(output.sizes)} | (set() if output.offsets is None else {len(output.offsets)})
    if rows != {places} or output.sizes.shape[1] not in (2, 4):
        raise InvalidArrayError(f"sizes or offsets at {sorted(rows)} places; its cells are at {places}")


def _at(head: FloatArray, places: IntArray) -> NDArray[np.float16]:
    values = head.reshape(len(head), -1)[:, places].T
    return np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)  # NaN stays NaN

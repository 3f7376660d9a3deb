"""The values that flow through heatprop: `Frame`, what a detector says of it, and `Detections`.

They hold arrays, check shapes and convert element types on entry; they compute nothing. What other packages call
detections is converted in `heatprop.interop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from operator import index
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatprop.errors import InvalidArrayError, shortened

FloatArray: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
ImageArray: TypeAlias = NDArray[np.uint8]


def _as_array(value: ArrayLike, dtype: type[np.generic], name: str) -> NDArray[Any]:
    try:
        array = np.asarray(value)
        if array.dtype == dtype:
            return np.ascontiguousarray(array) if array.ndim else array
        if array.dtype.kind in "OUSMmVc":
            raise TypeError(f"element type {array.dtype}")
        if np.issubdtype(dtype, np.integer):
            _check_whole(array)
        with np.errstate(over="raise"):
            return np.ascontiguousarray(array, dtype) if array.ndim else array.astype(dtype)
    except FloatingPointError:
        problem = f"a value is beyond {dtype.__name__}"
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        problem = shortened(" ".join(str(error).split()), 120)
    raise InvalidArrayError(f"{name} is not a numeric array ({problem}); pass a NumPy array of {dtype.__name__}")


def _check_whole(array: NDArray[Any]) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise TypeError("a value is not finite")
    if array.dtype.kind == "f" and not np.array_equal(array, array.round()):
        raise TypeError("its values are not whole")
    kept = np.iinfo(np.int64)
    # Compared as whole numbers of Python's: the largest is no float.
    if array.size and not kept.min <= int(array.min()) <= int(array.max()) <= kept.max:
        raise TypeError("a value is beyond int64")


def _check_shape(array: NDArray[Any], shape: Sequence[int | None], name: str, layout: str) -> None:
    if array.ndim != len(shape) or any(
        want is not None and have != want for have, want in zip(array.shape, shape, strict=True)
    ):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise InvalidArrayError(f"{name} has shape {array.shape}; it must be {layout}, here {wanted}")


def _check_finite(array: FloatArray, name: str) -> None:
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0, 0])
        raise InvalidArrayError(f"{name}[{row}] is {array[row].tolist()}; pass finite numbers only")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        image: uint8 ``(H, W, 3)`` RGB, upright (a rotation flag of the source is already applied).
        index: number of the frame in the source, counted from 0.
        time: presentation time in seconds, as the source's time stamps say.
        starts_anew: whether it does not follow the frame before: a stream was lost, and found again.

    Raises:
        InvalidArrayError: `image` is not uint8 ``(H, W, 3)``.
    """

    image: ImageArray
    index: int
    time: float
    starts_anew: bool = False

    def __post_init__(self) -> None:
        check_image(self.image)


@dataclass(frozen=True, slots=True, eq=False)
class HeadOutput:
    """The network's output for one frame, on the output grid of ``H x W`` cells.

    Attributes:
        heatmap: float32 ``(C, H, W)`` in [0, 1], after the sigmoid: how likely an object of the class has
            its centre in the cell.
        size: float32 in cells, ``(2, H, W)`` as (width, height), or ``(4, H, W)`` as distances from the cell
            to the (left, top, right, bottom) sides.
        offset: float32 ``(2, H, W)`` as (dx, dy) in cells, added to the cell to give the centre;
            None means that the network has no such head: the centre is the cell.

    Other float types are converted. Values are checked where they are used, not here.

    Raises:
        InvalidArrayError: an array has another number of axes, or the grids differ.

    Example:
        >>> HeadOutput(np.zeros((80, 4, 6)), np.zeros((2, 4, 6))).grid
        (4, 6)
    """

    heatmap: FloatArray
    size: FloatArray
    offset: FloatArray | None = None

    def __post_init__(self) -> None:
        heatmap = _as_array(self.heatmap, np.float32, "heatmap")
        _check_shape(heatmap, (None, None, None), "heatmap", "(classes, height, width)")
        if 0 in heatmap.shape:
            raise InvalidArrayError(f"heatmap has shape {heatmap.shape}; no side may be 0")
        size = _as_array(self.size, np.float32, "size")
        components = 4 if size.ndim == 3 and size.shape[0] == 4 else 2
        grid = heatmap.shape[1:]
        _check_shape(size, (components, *grid), "size", "(2 or 4, height, width) on the heatmap's grid")
        object.__setattr__(self, "heatmap", heatmap)
        object.__setattr__(self, "size", size)
        if self.offset is not None:
            offset = _as_array(self.offset, np.float32, "offset")
            _check_shape(offset, (2, *grid), "offset", "(2, height, width) on the heatmap's grid")
            object.__setattr__(self, "offset", offset)

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the output grid in cells."""
        return self.heatmap.shape[1], self.heatmap.shape[2]


@dataclass(frozen=True, slots=True, eq=False)
class PyramidOutput:
    """What a dense head of several strides says of one frame, the finest stride first.

    Attributes:
        levels: one `HeadOutput` a stride, of the same classes; sizes and offsets in its own cells.
        strides: pixels of the network's input for one cell, ascending, each a multiple of the one before.

    Raises:
        InvalidArrayError: the strides are none, or are not as above, or levels do not go together.

    Example:
        >>> levels = [HeadOutput(np.zeros((80, *grid)), np.zeros((4, *grid))) for grid in ((4, 6), (2, 3))]
        >>> PyramidOutput(levels, strides=[8, 16]).input_size
        (32, 48)
    """

    levels: Sequence[HeadOutput]
    strides: Sequence[int]

    def __post_init__(self) -> None:
        strides, levels = tuple(index(stride) for stride in self.strides), tuple(self.levels)
        if not strides or strides[0] < 1 or any(high <= low or high % low for low, high in pairwise(strides)):
            raise InvalidArrayError(f"strides are {strides}; they must ascend, each a multiple of the one before")
        if len(levels) != len(strides):
            raise InvalidArrayError(f"there are {len(levels)} levels of {len(strides)} strides; give one each")
        classes = {len(level.heatmap) for level in levels}
        if len(classes) > 1:
            raise InvalidArrayError(f"levels have {sorted(classes)} classes; all must have the same")
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "strides", strides)

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width in pixels of what the finest cells cover."""
        height, width = self.levels[0].grid
        return height * self.strides[0], width * self.strides[0]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The objects found in one frame, by falling score.

    Attributes:
        boxes: float32 ``(N, 4)`` as (x1, y1, x2, y2), in pixels of the frame or in cells of the output grid,
            as the function that returns them says.
        scores: float32 ``(N,)`` in [0, 1].
        labels: int64 ``(N,)``, class numbers from 0.
        lengths: int64 ``(N,)``, tracklet lengths: in how many frames up to this one, without a gap, the object
            was seen. 1 for a new object and wherever nothing is propagated. Default: filled with 1.
        track_ids: int64 ``(N,)``: the same number in another frame of the video is the same object. Each once,
            never given again; -1 wherever nothing is propagated. Default: filled with -1.

    Raises:
        InvalidArrayError: the arrays do not have one row an object, or a box or score is not finite.

    Example:
        >>> two = Detections([[0, 0, 4, 4], [1, 1, 2, 3]], [0.9, 0.2], [0, 3])
        >>> len(two), two.lengths.tolist()
        (2, [1, 1])
        >>> two.select(two.scores >= 0.5).labels.tolist()
        [0]
    """

    boxes: FloatArray
    scores: FloatArray
    labels: IntArray
    lengths: IntArray = None  # type: ignore[assignment]
    track_ids: IntArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        scores = _as_array(self.scores, np.float32, "scores")
        _check_shape(scores, (None,), "scores", "(objects,)")
        count = scores.shape[0]
        boxes = _as_array(self.boxes, np.float32, "boxes")
        if boxes.size == 0 and count == 0:
            boxes = boxes.reshape(0, 4)
        _check_shape(boxes, (count, 4), "boxes", "(objects, 4)")
        _check_finite(scores, "scores")
        _check_finite(boxes, "boxes")
        whole = {
            "labels": self.labels,
            "lengths": np.ones(count, np.int64) if self.lengths is None else self.lengths,
            "track_ids": np.full(count, -1) if self.track_ids is None else self.track_ids,
        }
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", scores)
        for name, value in whole.items():
            array = _as_array(value, np.int64, name)
            _check_shape(array, (count,), name, "(objects,)")
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return int(self.scores.shape[0])

    def select(self, index: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Detections:
        """Return the objects that a mask or an index array ``(N,)`` names, in its order."""
        return Detections(*(getattr(self, each.name)[index] for each in fields(self)))

    def to_supervision(self) -> Any:
        """Return a `supervision.Detections`, with `tracker_id` and, in ``data["length"]``, the lengths.

        Raises:
            MissingPackageError: that package is not installed.
        """
        from heatprop.interop.supervision import to_supervision  # noqa: PLC0415 - what it returns is made of this

        return to_supervision(self)

    @classmethod
    def from_supervision(cls, detections: Any) -> Detections:
        """Return what a `supervision.Detections` holds: boxes, scores, classes and ids, but no masks.

        Args:
            detections: without classes all are of class 0.

        Raises:
            InvalidArrayError: it is something else, or has no scores.
        """
        from heatprop.interop.supervision import from_supervision  # noqa: PLC0415 - as above

        return from_supervision(detections)

    @classmethod
    def empty(cls) -> Detections:
        """Return no objects."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))


def check_image(image: object) -> None:
    """Check that `image` is an image as heatprop takes it: uint8 ``(H, W, 3)``, RGB, no side 0.

    Raises:
        InvalidArrayError: it is not.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise InvalidArrayError(f"image is {kind}; pass a NumPy array of uint8, RGB, (height, width, 3)")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InvalidArrayError(f"image has shape {image.shape}; it must be (height, width, 3), RGB")


DetectorOutput: TypeAlias = HeadOutput | Detections
"""What a network says of one frame: a heatmap with sizes, or boxes in pixels of its input."""

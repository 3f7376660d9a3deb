"""Image -> network input, and the exact way back for boxes.

The image is scaled so that its longest side fits, and padded; some networks want it stretched. It stays uint8:
backends normalise it. Two grids meet here: pixels of the frame (`boxes_px`) and cells of the network's output
grid (`boxes_cells`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.types import FloatArray, ImageArray, check_image

ChannelOrder = Literal["RGB", "BGR"]
Fit = Literal["letterbox", "stretch"]
Place = Literal["centre", "top-left"]
LARGEST_SIDE = 16384
"""Of a network's input, in pixels: beyond what any memory of today holds the features of."""


IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of ImageNet's images, red, green and blue, in [0, 1]; what most published networks are normalised with."""
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class InputFormat:
    """What a network wants its input to be.

    Attributes:
        longest_side: the longer side of the image is scaled, up or down, to this many pixels.
        multiple: each side of the input is padded up to a multiple of this. Equal to `longest_side` it gives
            a fixed square; 32 gives the smallest input a network of stride 32 at its deepest can take.
        channel_order: order of the three channels.
        scale: factor that 0..255 is multiplied by first; 1 / 255 for networks that want 0..1.
        mean: subtracted from each channel after scaling, in `channel_order`.
        std: each channel is divided by it last, in `channel_order`.
        fit: "letterbox" keeps the shape of objects and pads; "stretch" fills a square, or `fixed_size`.
        place: of the image among its padding.
        padding: grey level of the padding, 0 to 255.
        fixed_size: height and width in pixels where the network takes one size alone; else None.

    Raises:
        InvalidConfigError: a number lies outside its range.
    """

    longest_side: int = 512
    multiple: int = 32
    channel_order: ChannelOrder = "RGB"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fit: Fit = "letterbox"
    place: Place = "centre"
    padding: int = 0
    fixed_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise InvalidConfigError(f"multiple is {self.multiple}; it must be at least 1")
        if self.longest_side < self.multiple or self.longest_side % self.multiple:
            raise InvalidConfigError(
                f"longest_side is {self.longest_side}; it must be a multiple of {self.multiple}"
            )
        if self.longest_side > LARGEST_SIDE:
            raise InvalidConfigError(f"longest_side is {self.longest_side}; it must be at most {LARGEST_SIDE}")
        if self.channel_order not in ("RGB", "BGR"):
            raise InvalidConfigError(f"channel_order is {self.channel_order!r}; it must be 'RGB' or 'BGR'")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InvalidConfigError(f"scale is {self.scale}; it must be above 0")
        if len(self.mean) != 3 or not np.isfinite(self.mean).all():
            raise InvalidConfigError(f"mean is {self.mean}; it must be three numbers")
        if len(self.std) != 3 or not np.isfinite(self.std).all() or min(self.std) <= 0:
            raise InvalidConfigError(f"std is {self.std}; it must be three numbers above 0")
        if self.fit not in get_args(Fit):
            raise InvalidConfigError(f"fit is {self.fit!r}; it must be 'letterbox' or 'stretch'")
        if self.place not in get_args(Place):
            raise InvalidConfigError(f"place is {self.place!r}; it must be 'centre' or 'top-left'")
        if not 0 <= self.padding <= 255:
            raise InvalidConfigError(f"padding is {self.padding}; it must be from 0 to 255")
        if self.fixed_size is not None and not 1 <= min(self.fixed_size) <= max(self.fixed_size) <= LARGEST_SIDE:
            raise InvalidConfigError(
                f"fixed_size is {self.fixed_size}; both sides must be from 1 to {LARGEST_SIDE}"
            )


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a frame lies inside the network's input.

    A point ``(x, y)`` of the frame lies at ``(x * scale_x + pad_left, y * scale_y + pad_top)`` of the input.
    The two scales differ a little, because the scaled image has whole pixels, and more where the pixels of the
    frame are not square.

    Attributes:
        frame_width: width of the frame in pixels.
        frame_height: height of the frame in pixels.
        image_width: width of the scaled image in pixels of the input.
        image_height: height of the scaled image in pixels of the input.
        pad_left: columns of padding left of the image.
        pad_top: rows of padding above the image.
        input_width: width of the input in pixels.
        input_height: height of the input in pixels.
        padding: grey level of the padding, 0 to 255.
    """

    frame_width: int
    frame_height: int
    image_width: int
    image_height: int
    pad_left: int
    pad_top: int
    input_width: int
    input_height: int
    padding: int = 0

    @property
    def scale_x(self) -> float:
        """Pixels of the input for one pixel of the frame, along x."""
        return self.image_width / self.frame_width

    @property
    def scale_y(self) -> float:
        """Pixels of the input for one pixel of the frame, along y."""
        return self.image_height / self.frame_height

    @property
    def picture_width(self) -> int:
        """`image_width`, as 0.1.0 called it."""
        return self.image_width

    @property
    def picture_height(self) -> int:
        """`image_height`, as 0.1.0 called it."""
        return self.image_height

    def image_area(self, stride: float) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the image on an output grid of `stride` pixels a cell, in cells.

        >>> fit_letterbox(640, 360, InputFormat(multiple=512)).image_area(stride=4)
        (0.0, 28.0, 128.0, 100.0)
        """
        right, bottom = self.pad_left + self.image_width, self.pad_top + self.image_height
        return self.pad_left / stride, self.pad_top / stride, right / stride, bottom / stride


def fit_letterbox(
    frame_width: int, frame_height: int, input_format: InputFormat, sample_aspect_ratio: float = 1.0
) -> Letterbox:
    """Lay a frame of `frame_width` x `frame_height` pixels into the input that `input_format` asks for.

    However long and thin the frame is, the scaled image keeps at least one pixel on each side. Where the
    image is centred and the padding is odd, the larger part is on the right and below.

    Args:
        frame_width: in pixels.
        frame_height: in pixels.
        input_format: of the network.
        sample_aspect_ratio: width of a pixel of the frame over its height; the network sees square pixels.

    Raises:
        InvalidArrayError: a side is below 1.

    Example:
        >>> fitted = fit_letterbox(640, 272, InputFormat())
        >>> fitted.image_width, fitted.image_height, fitted.input_width, fitted.input_height
        (512, 218, 512, 224)
        >>> fit_letterbox(720, 576, InputFormat(), sample_aspect_ratio=64 / 45).image_height  # 1024 x 576
        288
    """
    if frame_width < 1 or frame_height < 1:
        raise InvalidArrayError(f"frame is {frame_width}x{frame_height}; both sides must be at least 1")
    longest, multiple = input_format.longest_side, input_format.multiple
    fixed_height, fixed_width = input_format.fixed_size or (longest, longest)
    shown_width = frame_width * sample_aspect_ratio
    if input_format.fit == "stretch":
        image_width, image_height = fixed_width, fixed_height
    else:
        ratio = min(fixed_width / shown_width, fixed_height / frame_height)
        image_width = max(1, round(shown_width * ratio))
        image_height = max(1, round(frame_height * ratio))
    if input_format.fit == "stretch" or input_format.fixed_size is not None:
        input_width, input_height = fixed_width, fixed_height
    else:
        input_width = -(-image_width // multiple) * multiple
        input_height = -(-image_height // multiple) * multiple
    is_centred = input_format.place == "centre"
    return Letterbox(
        frame_width=frame_width,
        frame_height=frame_height,
        image_width=image_width,
        image_height=image_height,
        pad_left=(input_width - image_width) // 2 if is_centred else 0,
        pad_top=(input_height - image_height) // 2 if is_centred else 0,
        input_width=input_width,
        input_height=input_height,
        padding=input_format.padding,
    )


def letterbox(image: ImageArray, fitted: Letterbox) -> ImageArray:
    """Scale one image, put it in its place and pad it.

    Args:
        image: uint8 ``(H, W, 3)`` RGB of the size that `fitted` was made for.
        fitted: the geometry, from `fit_letterbox`.

    Returns:
        uint8 ``(input_height, input_width, 3)`` RGB, contiguous: what a backend takes, without its batch axis.

    Raises:
        InvalidArrayError: `image` is no such image, or of another size.
    """
    check_image(image)
    if image.shape[:2] != (fitted.frame_height, fitted.frame_width):
        raise InvalidArrayError(
            f"image is {image.shape[1]}x{image.shape[0]} but the letterbox was fitted to "
            f"{fitted.frame_width}x{fitted.frame_height}; fit it again"
        )
    canvas = np.full((fitted.input_height, fitted.input_width, 3), fitted.padding, np.uint8)
    rows = slice(fitted.pad_top, fitted.pad_top + fitted.image_height)
    columns = slice(fitted.pad_left, fitted.pad_left + fitted.image_width)
    _resize_into(image, canvas[rows, columns])
    return canvas


def _resize_into(image: ImageArray, out: ImageArray) -> None:
    """Fill `out` with the scaled `image`.

    Linear sampling reads 2 x 2 pixels whatever the scale, so beyond a halving it would skip pixels, and small
    objects would shimmer from frame to frame. Hence halve first: nearly as smooth as OpenCV's area mean, and
    0.5 ms instead of 3.5 ms for 1920 x 1080. A side that is odd is halved only nearly. Each step maps edge to
    edge, so the geometry is that of a single step.
    """
    height, width = out.shape[:2]
    while image.shape[0] > 2 * height or image.shape[1] > 2 * width:
        half = (max(width, (image.shape[1] + 1) // 2), max(height, (image.shape[0] + 1) // 2))
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_LINEAR), np.uint8)
    if image.shape[:2] == (height, width):
        out[...] = image
    else:
        cv2.resize(image, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)


def boxes_to_frame(boxes_cells: FloatArray, fitted: Letterbox, stride: int) -> FloatArray:
    """Carry boxes from the network's output grid to the frame, clipped to it.

    Args:
        boxes_cells: float ``(N, 4)`` xyxy in cells of the output grid.
        fitted: the geometry of the frame that the network saw.
        stride: pixels of the input for one cell.

    Returns:
        float32 ``(N, 4)`` xyxy in pixels of the frame, within ``[0, frame_width]`` and ``[0, frame_height]``.
        A side of negative length, as an untrained network may say, becomes a point at its middle.

    Raises:
        InvalidArrayError: `boxes_cells` is not ``(N, 4)``.
    """
    boxes = _as_boxes(boxes_cells, "boxes_cells") * stride
    boxes -= (fitted.pad_left, fitted.pad_top) * 2
    boxes /= (fitted.scale_x, fitted.scale_y) * 2
    low, high = boxes[:, :2], boxes[:, 2:]
    crossed = low > high
    low[crossed] = high[crossed] = (low[crossed] + high[crossed]) / 2
    limit = (fitted.frame_width, fitted.frame_height) * 2
    return np.clip(boxes, 0, limit).astype(np.float32)


def boxes_to_cells(boxes_px: FloatArray, fitted: Letterbox, stride: int) -> FloatArray:
    """Carry boxes from the frame to the network's output grid; the inverse of `boxes_to_frame`, unclipped.

    Args:
        boxes_px: float ``(N, 4)`` xyxy in pixels of the frame.
        fitted: the geometry of the frame.
        stride: pixels of the input for one cell.

    Returns:
        float32 ``(N, 4)`` xyxy in cells of the output grid.

    Raises:
        InvalidArrayError: `boxes_px` is not ``(N, 4)``.
    """
    boxes = _as_boxes(boxes_px, "boxes_px") * ((fitted.scale_x, fitted.scale_y) * 2)
    boxes += (fitted.pad_left, fitted.pad_top) * 2
    return (boxes / stride).astype(np.float32)


def _as_boxes(boxes: FloatArray, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    array = np.asarray(boxes, np.float64)
    if array.ndim != 2 or array.shape[1] != 4:
        raise InvalidArrayError(f"{name} has shape {array.shape}; it must be (boxes, 4) as xyxy")
    return array

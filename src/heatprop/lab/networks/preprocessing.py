"""Pre- and post-processing as CenterNet's authors published it, and their flip test.

`heatprop.letterbox` does nearly the same and is what videos go through; this is for figures that must be theirs.
Source: https://github.com/xingyizhou/CenterNet, options ``fix_res``, ``keep_res`` and ``flip_test``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from heatprop.errors import InvalidArrayError
from heatprop.letterbox import InputFormat
from heatprop.types import FloatArray, HeadOutput, ImageArray, check_image


@dataclass(frozen=True, slots=True)
class Warp:
    """Where an image lies inside the network's input.

    A point ``(x, y)`` of the image lies at ``(x * scale + shift_x, y * scale + shift_y)`` of the input.

    Attributes:
        scale: pixels of the input for one pixel of the image.
        shift_x: column of the input where the image's left side lies.
        shift_y: row of the input where the image's upper side lies.
        input_width: width of the input in pixels.
        input_height: height of the input in pixels.
    """

    scale: float
    shift_x: float
    shift_y: float
    input_width: int
    input_height: int

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine map from image to input, float64 ``(2, 3)``."""
        return np.array([[self.scale, 0, self.shift_x], [0, self.scale, self.shift_y]])


def fix_res(width: int, height: int, side: int = 512) -> Warp:
    """Lay an image into a square of `side` pixels: its longer side fits, its centre is the square's.

    Example:
        >>> fix_res(640, 480).matrix.tolist()
        [[0.8, 0.0, 0.0], [0.0, 0.8, 64.0]]
    """
    scale = side / max(width, height)
    return Warp(scale, side / 2 - scale * (width / 2), side / 2 - scale * (height / 2), side, side)


def keep_res(width: int, height: int) -> Warp:
    """Lay an image at its own size into the next larger multiples of 32; one that fits already grows by 32.

    Example:
        >>> warp = keep_res(640, 479)
        >>> warp.input_width, warp.input_height, warp.shift_x, warp.shift_y
        (672, 480, 16, 1)
    """
    input_width, input_height = (width | 31) + 1, (height | 31) + 1
    return Warp(1.0, input_width // 2 - width // 2, input_height // 2 - height // 2, input_width, input_height)


def preprocess(image: ImageArray, warp: Warp, input_format: InputFormat) -> FloatArray:
    """Warp an image, linearly between pixels and black outside, and normalise it.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        warp: where it goes, from `fix_res` or `keep_res`.
        input_format: channel order and normalisation, from the network's card.

    Returns:
        float32 ``(3, input_height, input_width)``.

    Raises:
        InvalidArrayError: `image` is no such image.
    """
    check_image(image)
    size = (warp.input_width, warp.input_height)
    pixels = np.asarray(cv2.warpAffine(image, warp.matrix, size, flags=cv2.INTER_LINEAR))
    if input_format.channel_order == "BGR":
        pixels = pixels[:, :, ::-1]
    values = (pixels * input_format.scale - np.array(input_format.mean)) / np.array(input_format.std)
    return np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)


def boxes_to_image(boxes_cells: FloatArray, warp: Warp, stride: int = 4) -> FloatArray:
    """Carry boxes from the output grid to the image, through the inverse of the warp; they are not clipped.

    Args:
        boxes_cells: float ``(N, 4)`` xyxy in cells of the output grid.
        warp: where the image lay.
        stride: pixels of the input for one cell.

    Returns:
        float32 ``(N, 4)`` xyxy in pixels of the image.

    Raises:
        InvalidArrayError: `boxes_cells` is not ``(N, 4)``.
    """
    boxes = np.asarray(boxes_cells, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InvalidArrayError(f"boxes_cells has shape {boxes.shape}; it must be (boxes, 4) as xyxy")
    return ((boxes * stride - (warp.shift_x, warp.shift_y) * 2) / warp.scale).astype(np.float32)


def predict(network: nn.Module, values: FloatArray, *, flip_test: bool = False) -> HeadOutput:
    """Run a network on one preprocessed image, on the device where the network is.

    The flip test also runs the mirrored image, and takes the mean of both heatmaps and of both sizes; the
    offset is the unmirrored image's.

    Args:
        network: a `CenterNet` or `Checkpoint` in evaluation mode.
        values: float32 ``(3, H, W)``, from `preprocess`.
        flip_test: whether to run the mirrored image too.

    Returns:
        The heatmap after the sigmoid, sizes and offset, on the grid of H/4 x W/4 cells.
    """
    images = torch.from_numpy(values)[None].to(next(network.parameters()).device)
    with torch.inference_mode():
        output = network(torch.cat([images, images.flip(3)]) if flip_test else images)
        heatmap, size = _unmirror(output.heatmap_logits.sigmoid()), _unmirror(output.size)
        offset = None if output.offset is None else output.offset[0].float().cpu().numpy()
    return HeadOutput(heatmap.float().cpu().numpy(), size.float().cpu().numpy(), offset)


def _unmirror(maps: Tensor) -> Tensor:
    """Return the mean of a map and its mirrored second, or the single map, as ``(C, H, W)``."""
    return maps[0] if len(maps) == 1 else (maps[0] + maps[1].flip(2)) / 2

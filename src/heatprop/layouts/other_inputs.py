"""What networks take beside the image: its size, in one form or another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import LayoutError
from heatprop.layouts.signature import TensorInfo


def other_inputs(inputs: Iterable[TensorInfo], height: int, width: int) -> dict[str, NDArray[Any]]:
    """Return the values of inputs other than the image, for one image that fills the network's input.

    RT-DETR takes width and height, Paddle height and width and factors of 1, and DETR a mask without padding.

    Raises:
        LayoutError: an input is of none of these.
    """
    values: dict[str, NDArray[Any]] = {}
    for each in inputs:
        mask = tuple(side or (1, height, width)[axis] for axis, side in enumerate(each.shape[:3]))
        known = {
            "orig_target_sizes": np.array([[width, height]]),
            "im_shape": np.array([[height, width]], np.float32),
            "scale_factor": np.ones((1, 2), np.float32),
            "pixel_mask": np.ones(mask, np.int64),
        }
        if each.name not in known:
            raise LayoutError(
                f"the network takes {each} beside the image; heatprop knows {', '.join(known)}: "
                "export it with the image alone"
            )
        values[each.name] = known[each.name]
    return values

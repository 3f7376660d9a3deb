"""Images -> network input, in PyTorch: on whichever device the network is."""

from __future__ import annotations

import torch
from torch import Tensor

from heatprop.letterbox import InputFormat


def normalise(images: Tensor, input_format: InputFormat) -> Tensor:
    """Order the channels and normalise, padding as everything else.

    Args:
        images: uint8 ``(N, H, W, 3)`` RGB.
        input_format: channel order and normalisation.

    Returns:
        float32 ``(N, 3, H, W)`` on the same device, in the memory format "channels last".
    """
    values = images.permute(0, 3, 1, 2).float()
    if input_format.channel_order == "BGR":
        values = values.flip(1)
    if input_format.scale != 1.0:
        values = values * input_format.scale
    mean, std = (torch.tensor(three, device=values.device) for three in (input_format.mean, input_format.std))
    values = (values - mean[:, None, None]) / std[:, None, None]
    return values.contiguous(memory_format=torch.channels_last)

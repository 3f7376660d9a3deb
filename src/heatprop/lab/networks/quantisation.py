"""Eight bits for OpenVINO, with NNCF: calibrated on pictures, where it does not hurt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from heatprop.errors import ModelError
from heatprop.lab.networks.normalisation import normalise
from heatprop.letterbox import InputFormat
from heatprop.telemetry import refuse_telemetry
from heatprop.types import ImageArray

_CONVOLUTIONS = ("Convolution", "GroupConvolution")


def quantise(network: Any, pictures: Sequence[ImageArray], input_format: InputFormat) -> Any:
    """Quantise the convolutions of an OpenVINO network to 8 bits.

    The last convolution of each head keeps its precision: scores, sizes and offsets come straight out of it. So do
    the convolutions that say where deformable ones sample. Measured, neither costs time.

    Args:
        network: an ``openvino.Model`` with the input ``images``.
        pictures: uint8 ``(1, H, W, 3)`` RGB, letterboxed, at least one, typical of what the network will see.
        input_format: channel order and normalisation.

    Returns:
        Another ``openvino.Model`` with the same input and outputs.

    Raises:
        ModelError: NNCF is not installed.
    """
    try:
        refuse_telemetry()
        import nncf  # noqa: PLC0415 - seconds, and needed for nothing else
    except ImportError as error:
        raise ModelError(
            f"8 bits need {error.name}, which is not installed; run pip install 'heatprop[export,int8]'"
        ) from None
    dataset = nncf.Dataset(
        pictures, lambda picture: normalise(torch.from_numpy(picture), input_format).contiguous().numpy()
    )
    return nncf.quantize(
        network,
        dataset,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        ignored_scope=nncf.IgnoredScope(names=sensitive_convolutions(network)),
    )


def sensitive_convolutions(network: Any) -> list[str]:
    """Return the names of the convolutions nearest above the outputs and above the deformable ones' offsets."""
    found: dict[str, None] = {}
    waiting = [result.input_value(0).get_node() for result in network.get_results()]
    for operation in network.get_ops():
        if operation.get_type_name() == "DeformableConvolution":
            waiting += [operation.input_value(port).get_node() for port in (1, 3)]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() in seen:
            continue
        seen.add(node.get_friendly_name())
        if node.get_type_name() in _CONVOLUTIONS:
            found[node.get_friendly_name()] = None
        else:
            waiting += [value.get_node() for value in node.input_values()]
    return list(found)

"""A traced network -> OpenVINO's files, on request in 8 bits by NNCF, calibrated on images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from heatprop.errors import ModelError
from heatprop.lab.networks.deployed import Run, not_installed, quiet
from heatprop.lab.networks.normalisation import normalise
from heatprop.letterbox import InputFormat
from heatprop.telemetry import refuse_telemetry
from heatprop.types import FloatArray, ImageArray
from heatprop.zoo.card import METADATA_KEY, ModelCard

_CONVOLUTIONS = ("Convolution", "GroupConvolution")


def write_openvino(
    program: torch.export.ExportedProgram,
    names: Sequence[str],
    card: ModelCard,
    path: Path,
    *,
    calibration: Sequence[ImageArray] | None,
    half: bool,
) -> Run:
    """Write an ``.xml`` and the ``.bin`` beside it, and return what runs them.

    Args:
        program: the traced network.
        names: of its outputs.
        card: goes into the ``.xml``.
        path: the ``.xml``.
        calibration: images to quantise by, see `quantise`; None leaves 32 bits.
        half: store weights in half precision.

    Raises:
        ModelError: a package that this needs is not installed.
        OSError: the files cannot be written.
    """
    try:
        refuse_telemetry()
        import openvino  # noqa: PLC0415
        from openvino._offline_transformations import apply_moc_transformations  # noqa: PLC0415
        from openvino.frontend import FrontEndManager  # noqa: PLC0415
        from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder  # noqa: PLC0415
    except ImportError as error:
        raise not_installed(error) from None
    frontend = FrontEndManager().load_by_framework("pytorch")
    with quiet():
        # The reader itself: openvino.convert_model is this and a report of its use to the maker.
        decoder = TorchFXPythonDecoder.from_exported_program(program)
        network = frontend.convert(frontend.load(decoder))
    apply_moc_transformations(network, cf=False)  # fold normalisations; convert_model does so too
    for port, name in zip(network.outputs, names, strict=True):
        port.tensor.set_names({name})
    if calibration is not None:
        with quiet():
            network = quantise(network, calibration, card.input)
    network.set_rt_info(card.to_json(), METADATA_KEY)
    openvino.save_model(network, path, compress_to_fp16=half)
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(images: FloatArray) -> dict[str, FloatArray]:
        outputs = compiled(images)
        return {name: outputs[name] for name in names}

    return run


def quantise(network: Any, images: Sequence[ImageArray], input_format: InputFormat) -> Any:
    """Quantise the convolutions of an OpenVINO network to 8 bits.

    The last convolution of each head keeps its precision: scores, sizes and offsets come straight out of it. So do
    the convolutions that say where deformable ones sample. Measured, neither costs time.

    Args:
        network: an ``openvino.Model`` with the input ``images``.
        images: uint8 ``(1, H, W, 3)`` RGB, letterboxed, at least one, typical of what the network will see.
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
        images, lambda image: normalise(torch.from_numpy(image), input_format).contiguous().numpy()
    )
    return nncf.quantize(
        network,
        dataset,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
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

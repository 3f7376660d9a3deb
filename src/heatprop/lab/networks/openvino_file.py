"""A traced network -> OpenVINO's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from heatprop.lab.networks.deployed import Run, not_installed, quiet
from heatprop.lab.networks.quantisation import quantise
from heatprop.telemetry import refuse_telemetry
from heatprop.types import FloatArray, ImageArray
from heatprop.zoo.card import METADATA_KEY, ModelCard


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
        calibration: pictures to quantise by, see `quantisation.quantise`; None leaves 32 bits.
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

"""A checkpoint -> one file that runs without PyTorch: ONNX, or OpenVINO's IR.

Both are written from one ``torch.export`` of the network (docs/decisions/007). The card travels inside the file.
"""

from __future__ import annotations

import copy
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from heatprop.errors import InvalidConfigError, ModelError, OutputError
from heatprop.io.outputs import OutputFile
from heatprop.letterbox import InputFormat
from heatprop.networks.checkpoints import Checkpoint
from heatprop.networks.normalisation import normalise
from heatprop.networks.quantisation import quantise
from heatprop.networks.weights import first_line
from heatprop.types import ImageArray
from heatprop.zoo.card import METADATA_KEY, ModelCard
from heatprop.zoo.formats import check_request

INPUT = "images"
OPSET = 19
_TOLERANCE = 1e-3
_HALF_TOLERANCE = 3e-2  # what 11 bits of each weight may do to the output
_SMALL = 64  # values; fewer are left in float32


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        card: the card inside the file.
        paths: the file; for OpenVINO also the ``.bin`` with the weights beside it.
        difference: largest difference of the heatmap from PyTorch's: on noise, or for 8 bits on the first
            picture of the calibration.
    """

    card: ModelCard
    paths: tuple[Path, ...]
    difference: float


class Deployed(nn.Module):
    """The network as it runs in the field: the heatmap through the sigmoid, and no output that is None."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.network
        self.names = ("heatmap", "size", "offset") if checkpoint.card.has_offset else ("heatmap", "size")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Turn images ``(N, 3, H, W)`` into heatmap, size and, where there is one, offset."""
        output = self.network(images)
        heads = (output.heatmap_logits.sigmoid(), output.size)
        return heads if output.offset is None else (*heads, output.offset)


def export_checkpoint(
    checkpoint: Checkpoint,
    path: str | os.PathLike[str],
    *,
    input_format: InputFormat | None = None,
    calibration: Sequence[ImageArray] | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write a checkpoint as ``.onnx`` or ``.xml``, with any batch, height and width left open.

    The file takes `images`, float32 ``(N, 3, H, W)``, ordered and normalised as the card's `input` says, and
    gives `heatmap` after the sigmoid, `size` and `offset` in cells. It is compared with PyTorch before it gets
    its name.

    Args:
        checkpoint: from `load_checkpoint`.
        path: where to; ``.onnx`` (opset 19), or ``.xml``, which puts a ``.bin`` beside it.
        input_format: the input rule for the card; None keeps the checkpoint's.
        calibration: pictures, uint8 ``(1, H, W, 3)`` RGB, letterboxed as `input_format` says. With them the
            network is quantised to 8 bits, for ``.xml`` only.
        half: store weights in half precision, which halves the file; the network computes in float32 all the same.
        overwrite: whether existing files may be replaced.

    Raises:
        InvalidConfigError: another ending, an input that the network cannot take, or calibration of ``.onnx`` or
            without pictures.
        ModelError: the network cannot be exported, or a package that this needs is not installed.
        OutputError: the files exist or cannot be written.
    """
    path = Path(path)
    card = replace(checkpoint.card, input=input_format or checkpoint.card.input)
    check_request(path, int8=calibration is not None)
    if calibration is not None and not len(calibration):
        raise InvalidConfigError("calibration holds no pictures; give at least one")
    if card.input.multiple % checkpoint.network.multiple:
        raise InvalidConfigError(
            f"multiple is {card.input.multiple}; this network needs a multiple of {checkpoint.network.multiple}"
        )
    endings = (".bin", ".xml") if path.suffix == ".xml" else (".onnx",)
    outputs: list[OutputFile] = []
    try:
        for ending in endings:  # the weights come first, so that an .xml never stands without them
            outputs.append(OutputFile(path.with_suffix(ending), overwrite=overwrite))
        deployed = Deployed(checkpoint).eval()
        if path.suffix == ".xml":
            difference = _write_openvino(deployed, card, outputs[-1].partial, calibration, half)
        else:
            difference = _write_onnx(deployed, card, outputs[-1].partial, half)
        for output in outputs:
            output.commit()
    except BaseException as error:
        for output in outputs:
            output.discard()
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(f"{path}: cannot write there ({first_line(error)}); is the disk full?") from None
        raise
    return Exported(card, tuple(output.path for output in outputs), difference)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what converters warn, log and print about their own insides; what fails is raised."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def _trace(deployed: Deployed) -> torch.export.ExportedProgram:
    multiple = deployed.network.multiple
    # Not 1 or alike anywhere: torch.export takes such sizes for constants.
    example = torch.zeros(2, 3, 4 * multiple, 6 * multiple)
    open_sizes = {INPUT: dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}
    try:
        return torch.export.export(deployed, (example,), dynamic_shapes=open_sizes)
    except Exception as error:  # torch.export has dozens of exception types
        backbone = deployed.network.config.backbone
        raise ModelError(
            f"backbone {backbone!r} cannot be exported with open sizes ({first_line(error)}); "
            "run the checkpoint with --backend torch"
        ) from None


def _noise(deployed: Deployed) -> Tensor:
    multiple = deployed.network.multiple
    return torch.randn(1, 3, 3 * multiple, 2 * multiple, generator=torch.Generator().manual_seed(0))


def _compared(deployed: Deployed, run: Any, images: Tensor, tolerance: float) -> float:
    """Return the largest difference of the heatmap; `run` takes a NumPy batch and gives arrays by name.

    Some networks magnify rounding: what PyTorch's own float32 and float64 differ by is not held against the file.
    """
    with torch.inference_mode():
        wanted = dict(zip(deployed.names, (head.numpy() for head in deployed(images)), strict=True))
        exact = dict(zip(deployed.names, copy.deepcopy(deployed).double()(images.double()), strict=True))
    given = run(images.numpy())
    difference = {name: float(np.abs(given[name] - head).max()) for name, head in wanted.items()}
    for name, head in wanted.items():
        rounding = float(np.abs(exact[name].numpy() - head).max())
        limit = max(tolerance * max(1.0, float(np.abs(head).max())), 4 * rounding)
        if not difference[name] <= limit:  # also when it is not a number
            raise ModelError(
                f"the exported {name} differs from PyTorch's by {difference[name]:.2g}, more than {limit:.2g}; "
                "nothing is written: try newer versions of torch and of the runtime"
            )
    return difference["heatmap"]


def _write_onnx(deployed: Deployed, card: ModelCard, path: Path, half: bool) -> float:
    try:
        import onnx_ir  # noqa: PLC0415 - each of these is needed for one format only
        import onnxruntime  # noqa: PLC0415
        from onnxscript import opset19  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed(error) from None

    def deform_conv2d(  # noqa: PLR0917 - torchvision's operator, argument by argument
        features: Any, weight: Any, offset: Any, mask: Any, bias: Any,
        stride_y: int, stride_x: int, pad_y: int, pad_x: int, dilation_y: int, dilation_x: int,
        groups: int, offset_groups: int, _use_mask: bool,
    ) -> Any:  # fmt: skip
        return opset19.DeformConv(
            features,
            weight,
            offset,
            bias,
            mask,
            strides=[stride_y, stride_x],
            pads=[pad_y, pad_x, pad_y, pad_x],
            dilations=[dilation_y, dilation_x],
            group=groups,
            offset_group=offset_groups,
        )

    with quiet():
        program = torch.onnx.export(
            _trace(deployed),
            input_names=[INPUT],
            output_names=list(deployed.names),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            custom_translation_table={torch.ops.torchvision.deform_conv2d.default: deform_conv2d},
        )
    assert program is not None
    _tidy(program.model, onnx_ir)
    if half:
        _halve_weights(program.model.graph, onnx_ir)
    program.model.metadata_props[METADATA_KEY] = card.to_json()
    program.save(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = list(deployed.names)

    def run(images: Any) -> dict[str, Any]:
        return dict(zip(names, session.run(names, {INPUT: images}), strict=True))

    return _compared(deployed, run, _noise(deployed), _HALF_TOLERANCE if half else _TOLERANCE)


def _halve_weights(graph: Any, onnx_ir: Any) -> None:
    """Store large weights in float16, each with a cast to float32 in front of the nodes that use it."""
    first = graph[0]
    for name, value in list(graph.initializers.items()):
        if value.dtype != onnx_ir.DataType.FLOAT or value.const_value.size < _SMALL:
            continue
        weights = value.const_value.numpy().astype(np.float16)
        del graph.initializers[name]
        stored = onnx_ir.Value(name=f"{name}/float16", const_value=onnx_ir.tensor(weights))
        stored.shape, stored.dtype = onnx_ir.Shape(weights.shape), onnx_ir.DataType.FLOAT16
        graph.register_initializer(stored)
        value.const_value = None
        cast = onnx_ir.node("Cast", [stored], {"to": onnx_ir.DataType.FLOAT.value}, outputs=[value])
        graph.insert_before(first, cast)


def _tidy(model: Any, onnx_ir: Any) -> None:
    """Give axes names that say what they are, and drop notes on where in the source each node came from."""
    graph = model.graph
    model.metadata_props.clear()
    graph.metadata_props.clear()
    for node in graph:
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
            if value not in graph.outputs:
                value.shape = None
    for value, height, width in (
        *((value, "height", "width") for value in graph.inputs),
        *((value, "rows", "columns") for value in graph.outputs),
    ):
        value.metadata_props.clear()
        value.shape = onnx_ir.Shape(["batch", value.shape[1], height, width])


def _write_openvino(
    deployed: Deployed, card: ModelCard, path: Path, calibration: Sequence[ImageArray] | None, half: bool
) -> float:
    try:
        import openvino  # noqa: PLC0415
        from openvino._offline_transformations import apply_moc_transformations  # noqa: PLC0415
        from openvino.frontend import FrontEndManager  # noqa: PLC0415
        from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder  # noqa: PLC0415
    except ImportError as error:
        raise _not_installed(error) from None
    frontend = FrontEndManager().load_by_framework("pytorch")
    with quiet():
        # The reader itself: openvino.convert_model is this and a report of its use to the maker.
        decoder = TorchFXPythonDecoder.from_exported_program(_trace(deployed))
        network = frontend.convert(frontend.load(decoder))
    apply_moc_transformations(network, cf=False)  # fold normalisations; convert_model does so too
    for port, name in zip(network.outputs, deployed.names, strict=True):
        port.tensor.set_names({name})
    if calibration is not None:
        with quiet():
            network = quantise(network, calibration, card.input)
    network.set_rt_info(card.to_json(), METADATA_KEY)
    openvino.save_model(network, path, compress_to_fp16=half)
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(images: Any) -> dict[str, Any]:
        outputs = compiled(images)
        return {name: outputs[name] for name in deployed.names}

    if calibration is None:
        return _compared(deployed, run, _noise(deployed), _HALF_TOLERANCE if half else _TOLERANCE)
    return _compared(deployed, run, normalise(torch.from_numpy(calibration[0]), card.input), float("inf"))


def _not_installed(error: ImportError) -> ModelError:
    return ModelError(f"export needs {error.name}, which is not installed; run pip install 'heatprop[export]'")

"""A traced network -> an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heatprop.lab.networks.deployed import INPUT, Run, not_installed, quiet
from heatprop.types import FloatArray
from heatprop.zoo.card import METADATA_KEY, ModelCard

OPSET = 19
_SMALL = 64  # values; fewer are left in float32


def write_onnx(
    program: torch.export.ExportedProgram, names: Sequence[str], card: ModelCard, path: Path, *, half: bool
) -> Run:
    """Write an ONNX file, opset 19, and return what runs it.

    Args:
        program: the traced network.
        names: of its outputs.
        card: goes into the file.
        path: where to.
        half: store weights in half precision.

    Raises:
        ModelError: a package that this needs is not installed.
    """
    try:
        import onnx_ir  # noqa: PLC0415 - each of these is needed for one format only
        import onnxruntime  # noqa: PLC0415
        from onnxscript import opset19  # noqa: PLC0415
    except ImportError as error:
        raise not_installed(error) from None

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
        exported = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=list(names),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            custom_translation_table={torch.ops.torchvision.deform_conv2d.default: deform_conv2d},
        )
    assert exported is not None
    _tidy(exported.model, onnx_ir)
    if half:
        _halve_weights(exported.model.graph, onnx_ir)
    exported.model.metadata_props[METADATA_KEY] = card.to_json()
    exported.save(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(images: FloatArray) -> dict[str, FloatArray]:
        return dict(zip(names, session.run(list(names), {INPUT: images}), strict=True))

    return run


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

"""Inference with OpenVINO on the processor: the fastest, and faster still in bfloat16."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.backends.base import Precision, check_images, in_batches, share_processors
from heatprop.backends.external_weights import weights_beside
from heatprop.backends.reading import HEADS, OutputReader, reader_of
from heatprop.errors import BackendError
from heatprop.layouts import TensorInfo
from heatprop.letterbox import InputFormat
from heatprop.telemetry import refuse_telemetry
from heatprop.types import DetectorOutput, ImageArray
from heatprop.zoo import Model

refuse_telemetry()

import openvino  # noqa: E402
from openvino.frontend import FrontEndManager  # noqa: E402
from openvino.preprocess import ColorFormat, PrePostProcessor  # noqa: E402

_SHAPES_KEPT = 8
_DEVICE = "CPU"
_CAPABILITY = {"f32": "FP32", "bf16": "BF16"}

# OpenVINO's binding sets up its NumPy part at the first array it meets, and stands still for ever if two threads
# bring that array at once: 5 of 12 cold starts with four threads (OpenVINO 2026.4.1). Importing is one thread.
openvino.Tensor(np.zeros(1, np.uint8), shared_memory=True).data.copy()


class OpenVinoBackend:
    """OpenVINO on the processor.

    A network is compiled for each input shape (a fifth of a second) and kept: fixed shapes run a third faster
    than dynamic ones (docs/decisions/003). Conversion to float32, channel order and normalisation are part of it.

    Args:
        model: what to run.
        precision: "f32", or "bf16" where the processor has it.
        threads: processors to use in all; None means all that the process may use.
        concurrency: calls at once to share them between; None means one processor a call, at most 8 calls.

    Raises:
        BackendError: OpenVINO refuses the file, or the file is not what its card says.
        InvalidConfigError: a number is below 1.
    """

    name = "openvino"

    def __init__(
        self,
        model: Model,
        *,
        precision: Precision = "f32",
        threads: int | None = None,
        concurrency: int | None = None,
    ) -> None:
        threads, self.concurrency = share_processors(threads, concurrency)
        self._settings = {
            "NUM_STREAMS": str(self.concurrency),
            "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": precision,
        }
        self._model = model
        self._version = openvino.get_version().split("-")[0]
        self._lock = threading.Lock()
        self._compiled: OrderedDict[tuple[int, ...], _CompiledNetwork] = OrderedDict()
        self._core = openvino.Core()
        self._network = read_network(model.path)
        offered = self._core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
        if _CAPABILITY.get(precision) not in offered:
            raise BackendError(f"this processor has no precision {precision!r} in OpenVINO; use f32")
        quantised = any(each.get_type_name() == "FakeQuantize" for each in self._network.get_ops())
        bits = f"int8 + {precision}" if quantised else precision
        self.description = f"OpenVINO {self._version}, {_DEVICE}, {bits}"
        self._reader = reader_of(model, inputs_of(self._network), outputs_of(self._network))
        is_conditional = any(each.get_type_name() == "If" for each in self._network.get_ops())
        if is_conditional and model.card.gives_boxes:
            # Measured with 2026.4.1: an empty result of If becomes one row, with what the frame before left there.
            raise BackendError(
                f"OpenVINO {self._version} makes up a box where {model.path} finds none (operator If); "
                "choose the backend onnx, with the network as .onnx"
            )
        self._rank = len(self._network.input(self._reader.image_input).get_partial_shape())
        try:
            self._network = _taking_images(self._network, model.card.input, self._reader.image_input)
        except Exception as error:
            raise BackendError(f"OpenVINO {self._version} refuses {model.path}: {_last_line(error)}") from None

    def infer(self, images: ImageArray) -> list[DetectorOutput]:
        """Run the network on a batch; see `heatprop.backends.Backend.infer`."""
        images = check_images(images, self._model.card)
        outputs: list[DetectorOutput] = []
        for part, count in in_batches(images, self._reader.batch):
            try:
                arrays = self._compiled_for(part.shape).infer(part)
            except Exception as error:
                raise BackendError(
                    f"OpenVINO failed on images {images.shape} with {self._model.path}: {_last_line(error)}"
                ) from None
            outputs += self._reader.read(arrays, part, count)
        return outputs

    def _image_shape(self, shape: tuple[int, ...]) -> list[int]:
        """Return the shape of the input for images of a shape: some files take one image without a batch axis."""
        return list(shape[-self._rank :])

    def _compiled_for(self, shape: tuple[int, ...]) -> _CompiledNetwork:
        """Return the network compiled for an input shape; the shapes used last are kept."""
        with self._lock:
            if shape not in self._compiled:
                others = self._reader.others(*shape[1:3])
                shapes = {name: list(value.shape) for name, value in others.items()}
                self._network.reshape({self._reader.image_input: self._image_shape(shape), **shapes})
                compiled = self._core.compile_model(self._network, _DEVICE, self._settings)
                self._compiled[shape] = _CompiledNetwork(compiled, self._reader, others)
            self._compiled.move_to_end(shape)
            if len(self._compiled) > _SHAPES_KEPT:
                self._compiled.popitem(last=False)
            return self._compiled[shape]


class _CompiledNetwork:
    """A network for one input shape, and the requests that wait for work: one serves one call at a time.

    It writes its outputs into new arrays itself, which spares copying them; except those whose type is not
    float32, or whose shape is known only afterwards.
    """

    def __init__(
        self, compiled: openvino.CompiledModel, reader: OutputReader, others: Mapping[str, NDArray[Any]]
    ) -> None:
        self._compiled, self._outputs, self._others = compiled, reader.outputs, others
        self._image, self._rank = reader.image_input, len(compiled.input(reader.image_input).get_partial_shape())
        ports = {name: compiled.output(name) for name in reader.outputs}
        self._shapes = {
            name: tuple(port.shape)
            for name, port in ports.items()
            if port.element_type == openvino.Type.f32 and port.partial_shape.is_static
        }
        self._idle: deque[openvino.InferRequest] = deque()

    def infer(self, images: ImageArray) -> dict[str, NDArray[Any]]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        arrays: dict[str, NDArray[Any]] = {
            name: np.empty(shape, np.float32) for name, shape in self._shapes.items()
        }
        for name, array in arrays.items():
            request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        taken = images if self._rank == 4 else images[0]
        request.infer({self._image: taken, **self._others}, share_inputs=True, share_outputs=True)
        for name in self._outputs:
            if name not in arrays:
                arrays[name] = np.array(request.get_tensor(name).data)
        self._idle.append(request)
        return arrays


def read_network(path: Path) -> openvino.Model:
    """Read a file; each of its outputs then has a name.

    Raises:
        BackendError: OpenVINO refuses it.
    """
    version = openvino.get_version().split("-")[0]
    try:
        # Asked for the format, since Core.read_model tries them all and prints what each says.
        frontend = FrontEndManager().load_by_framework("ir" if path.suffix == ".xml" else "onnx")
        with weights_beside(path) as whole:
            network = frontend.convert(frontend.load(str(whole)))
        for number, port in enumerate([*network.inputs, *network.outputs]):
            if not port.names:
                port.get_tensor().set_names({f"tensor{number}"})
    except Exception as error:  # OpenVINO has many unrelated exception types
        if "DeformConv" in str(error):
            raise BackendError(
                f"OpenVINO {version} refuses {path}: its ONNX reader has no DeformConv; "
                "export the checkpoint to .xml, or choose the backend onnx"
            ) from None
        reason = _last_line(error)
        if "weights" in reason and path.suffix == ".xml":
            reason += f" ({path.with_suffix('.bin').name} belongs to another file or is cut off; export again)"
        raise BackendError(f"OpenVINO {version} refuses {path}: {reason}") from None
    return network


def run(network: openvino.Model, outputs: list[str], feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Run a network once, on its own inputs."""
    found = openvino.Core().compile_model(network, _DEVICE)(dict(feed))
    return {name: np.array(found[name]) for name in outputs}


def inputs_of(network: openvino.Model) -> list[TensorInfo]:
    """Return name and shape of the inputs."""
    return [_tensor_info(port) for port in network.inputs]


def outputs_of(network: openvino.Model) -> list[TensorInfo]:
    """Return name and shape of the outputs, as far as the file says them."""
    return [_tensor_info(port) for port in network.outputs]


def _tensor_info(port: openvino.Output) -> TensorInfo:
    shape = port.get_partial_shape()
    sides = (
        [side.get_length() or None if side.is_static else None for side in shape] if shape.rank.is_static else []
    )
    # Of several names of a tensor, those with a slash are of nodes inside of the network.
    name = min(port.names, key=lambda each: (each not in HEADS, "/" in each, len(each), each))
    return TensorInfo(name, tuple(sides))


def _taking_images(network: openvino.Model, input_format: InputFormat, name: str) -> openvino.Model:
    """Put what turns uint8 ``(N, H, W, 3)`` RGB into the network's own input before the network.

    Measured, these steps run in f32 also where the network runs in bf16: its first layer sees each number as if
    it had been computed outside in f32.
    """
    batch = "N" if len(network.input(name).get_partial_shape()) == 4 else ""
    processor = PrePostProcessor(network)
    images = processor.input(name)
    images.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout(f"{batch}HWC"))
    images.tensor().set_color_format(ColorFormat.RGB)
    images.model().set_layout(openvino.Layout(f"{batch}CHW"))
    steps = images.preprocess()
    steps.convert_element_type(openvino.Type.f32)
    if input_format.channel_order == "BGR":
        steps.convert_color(ColorFormat.BGR)
    if input_format.scale != 1.0:
        steps.scale(1 / input_format.scale)  # OpenVINO divides by it
    if any(mean != 0.0 for mean in input_format.mean):
        steps.mean(list(input_format.mean))
    if any(std != 1.0 for std in input_format.std):
        steps.scale(list(input_format.std))
    return processor.build()


def _last_line(error: Exception) -> str:
    """Return the last line of OpenVINO's message: the reason, after the places in its source."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].lstrip("- ")

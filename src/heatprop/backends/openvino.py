"""Inference with OpenVINO on the processor: the fastest, and faster still in bfloat16."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

import numpy as np

from heatprop.backends.base import (
    INPUT,
    Precision,
    check_heads,
    check_images,
    in_batches,
    share_processors,
    split_heads,
    wanted_channels,
)
from heatprop.backends.external_weights import weights_beside
from heatprop.errors import BackendError
from heatprop.letterbox import InputFormat
from heatprop.telemetry import refuse_telemetry
from heatprop.types import FloatArray, HeadOutput, ImageArray
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
        try:
            self._core = openvino.Core()
            # Asked for the format, since Core.read_model tries them all and prints what each says.
            frontend = FrontEndManager().load_by_framework("ir" if model.path.suffix == ".xml" else "onnx")
            with weights_beside(model.path) as path:
                self._network = frontend.convert(frontend.load(str(path)))
            inputs = [port.get_any_name() for port in self._network.inputs]
            self._batch = _fixed_batch(self._network.inputs)
            channels = {name: _channels(port) for port in self._network.outputs for name in port.names}
            offered = self._core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
        except Exception as error:  # OpenVINO has many unrelated exception types
            if "DeformConv" in str(error):
                raise BackendError(
                    f"OpenVINO {self._version} refuses {model.path}: its ONNX reader has no DeformConv; "
                    "export the checkpoint to .xml, or choose the backend onnx"
                ) from None
            reason = _last_line(error)
            if "weights" in reason and model.path.suffix == ".xml":
                reason += (
                    f" ({model.path.with_suffix('.bin').name} belongs to another file or is cut off; export again)"
                )
            raise BackendError(f"OpenVINO {self._version} refuses {model.path}: {reason}") from None
        if _CAPABILITY.get(precision) not in offered:
            raise BackendError(f"this processor has no precision {precision!r} in OpenVINO; use f32")
        quantised = any(each.get_type_name() == "FakeQuantize" for each in self._network.get_ops())
        bits = f"int8 + {precision}" if quantised else precision
        self.description = f"OpenVINO {self._version}, {_DEVICE}, {bits}"
        check_heads(inputs, channels, model)
        try:
            self._network = _taking_images(self._network, model.card.input)
        except Exception as error:
            raise BackendError(f"OpenVINO {self._version} refuses {model.path}: {_last_line(error)}") from None

    def infer(self, images: ImageArray) -> list[HeadOutput]:
        """Run the network on a batch; see `heatprop.backends.Backend.infer`."""
        images = check_images(images, self._model.card)
        outputs: list[HeadOutput] = []
        for part, count in in_batches(images, self._batch):
            try:
                arrays = self._compiled_for(part.shape).infer(part)
            except Exception as error:
                raise BackendError(
                    f"OpenVINO failed on images {images.shape} with {self._model.path}: {_last_line(error)}"
                ) from None
            outputs += split_heads(arrays, part, self._model)[:count]
        return outputs

    def _compiled_for(self, shape: tuple[int, ...]) -> _CompiledNetwork:
        """Return the network compiled for an input shape; the shapes used last are kept."""
        with self._lock:
            if shape not in self._compiled:
                self._network.reshape({INPUT: list(shape)})
                compiled = self._core.compile_model(self._network, _DEVICE, self._settings)
                self._compiled[shape] = _CompiledNetwork(compiled, list(wanted_channels(self._model.card)))
            self._compiled.move_to_end(shape)
            if len(self._compiled) > _SHAPES_KEPT:
                self._compiled.popitem(last=False)
            return self._compiled[shape]


class _CompiledNetwork:
    """A network for one input shape, and the requests that wait for work: one serves one call at a time.

    It writes its outputs into new arrays itself, which spares copying them; except those whose type is not
    float32, or whose shape is known only afterwards.
    """

    def __init__(self, compiled: openvino.CompiledModel, outputs: list[str]) -> None:
        self._compiled, self._outputs = compiled, outputs
        ports = {name: compiled.output(name) for name in outputs}
        self._shapes = {
            name: tuple(port.shape)
            for name, port in ports.items()
            if port.element_type == openvino.Type.f32 and port.partial_shape.is_static
        }
        self._idle: deque[openvino.InferRequest] = deque()

    def infer(self, images: ImageArray) -> dict[str, FloatArray]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        arrays = {name: np.empty(shape, np.float32) for name, shape in self._shapes.items()}
        for name, array in arrays.items():
            request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        request.infer({INPUT: images}, share_inputs=True, share_outputs=True)
        for name in self._outputs:
            if name not in arrays:
                arrays[name] = np.array(request.get_tensor(name).data, np.float32)
        self._idle.append(request)
        return arrays


def _taking_images(network: openvino.Model, input_format: InputFormat) -> openvino.Model:
    """Put what turns uint8 ``(N, H, W, 3)`` RGB into the network's own input before the network.

    Measured, these steps run in f32 also where the network runs in bf16: its first layer sees each number as if
    it had been computed outside in f32.
    """
    processor = PrePostProcessor(network)
    images = processor.input(INPUT)
    images.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    images.tensor().set_color_format(ColorFormat.RGB)
    images.model().set_layout(openvino.Layout("NCHW"))
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


def _fixed_batch(inputs: list[openvino.Output]) -> int | None:
    """Return how many images a call takes where the file says so: its layers may hold that number too."""
    shape = inputs[0].get_partial_shape() if inputs else None
    fixed = shape is not None and shape.rank.is_static and len(shape) > 0 and shape[0].is_static
    return shape[0].get_length() or None if shape is not None and fixed else None


def _channels(port: openvino.Output) -> int | None:
    shape = port.get_partial_shape()
    known = shape.rank.is_static and len(shape) == 4 and shape[1].is_static
    return shape[1].get_length() if known else None


def _last_line(error: Exception) -> str:
    """Return the last line of OpenVINO's message: the reason, after the places in its source."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].lstrip("- ")

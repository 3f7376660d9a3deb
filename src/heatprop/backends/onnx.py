"""Inference with ONNX Runtime: on the processor, where it always works, or on a graphics card when asked to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from heatprop.backends.base import (
    Device,
    Precision,
    check_images,
    in_batches,
    share_processors,
    to_planes,
)
from heatprop.backends.external_weights import weights_beside
from heatprop.backends.reading import reader_of
from heatprop.errors import BackendError
from heatprop.layouts import TensorInfo
from heatprop.types import DetectorOutput, ImageArray
from heatprop.zoo import Model

_FATAL_ONLY = 4  # what fails is raised as an exception; printing it as well would reach the user twice
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_OTHERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


class OnnxBackend:
    """ONNX Runtime. Each call runs in the thread that makes it.

    Args:
        model: what to run.
        precision: "f32"; with TensorRT also "f16".
        device: "auto" and "cpu" are the processor; "cuda" and "tensorrt" need the package ``onnxruntime-gpu``,
            and run on the processor what they have no kernel for.
        threads: processors to use in all; None means all that the process may use.
        concurrency: calls at once to share them between; None means one processor a call, at most 8 calls.

    Raises:
        BackendError: ONNX Runtime refuses the file, or lacks device or precision, or the file is not what its
            card says.
        InvalidConfigError: a number is below 1.
    """

    name = "onnx"

    def __init__(
        self,
        model: Model,
        *,
        precision: Precision = "f32",
        device: Device = "auto",
        threads: int | None = None,
        concurrency: int | None = None,
    ) -> None:
        device = "cpu" if device == "auto" else device
        if precision not in (("f32", "f16") if device == "tensorrt" else ("f32",)):
            where = "a processor; use f32 or OpenVINO" if device == "cpu" else f"{device}; use f32"
            raise BackendError(f"ONNX Runtime has no precision {precision!r} on {where}")
        providers = _providers(device, precision)
        threads, self.concurrency = share_processors(threads, concurrency)
        name = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT"}[device]
        self.description = f"ONNX Runtime {onnxruntime.__version__}, {name}, {precision}"
        self._model = model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads // self.concurrency)
        options.inter_op_num_threads = 1
        # Idle threads that spin take the processor from decoding and drawing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = open_session(model.path, options, providers)
        if device != "cpu" and _PROVIDERS[device] not in self._session.session.get_providers():
            # ONNX Runtime falls back to the processor without an error where a library is missing.
            raise BackendError(
                f"ONNX Runtime cannot start {name} here; are the card's driver and libraries installed?"
            )
        self._reader = reader_of(model, self._session.inputs, self._session.outputs)
        taken = self._session.types[self._reader.image_input]
        if taken not in _FLOATS:
            raise BackendError(
                f"model {model.path} takes {taken}; ONNX Runtime can be given {', '.join(_FLOATS)}: "
                "export it again with such an input"
            )

    def infer(self, images: ImageArray) -> list[DetectorOutput]:
        """Run the network on a batch; see `heatprop.backends.Backend.infer`."""
        images = check_images(images, self._model.card)
        outputs: list[DetectorOutput] = []
        for part, count in in_batches(images, self._reader.batch):
            feed = self._reader.feed(to_planes(part, self._model.card.input))
            try:
                arrays = self._session.run(self._reader.outputs, feed)
            except Exception as error:
                raise BackendError(
                    f"ONNX Runtime failed on images {images.shape} with {self._model.path}: {_first_line(error)}"
                ) from None
            outputs += self._reader.read(arrays, part, count)
        return outputs


class Session(NamedTuple):
    """An open file.

    Attributes:
        session: ONNX Runtime's.
        inputs: name and shape of the inputs.
        types: of the inputs by name, as ONNX Runtime calls them.
        outputs: name and shape of the outputs, as far as the file says them.
    """

    session: onnxruntime.InferenceSession
    inputs: list[TensorInfo]
    types: dict[str, str]
    outputs: list[TensorInfo]

    def run(self, names: list[str], feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs of those names; inputs may come in another type of number than the file takes."""
        known = _FLOATS | _OTHERS
        taken = {
            name: each.astype(known.get(self.types[name], each.dtype), copy=False) for name, each in feed.items()
        }
        return dict(zip(names, self.session.run(names, taken), strict=True))


def open_session(
    path: Path,
    options: onnxruntime.SessionOptions | None = None,
    providers: Sequence[str | tuple[str, dict[str, str]]] = ("CPUExecutionProvider",),
) -> Session:
    """Open a file.

    Raises:
        BackendError: ONNX Runtime refuses it.
    """
    options = onnxruntime.SessionOptions() if options is None else options
    options.log_severity_level = _FATAL_ONLY
    try:
        with weights_beside(path) as whole:
            # Falling back by itself, it would write a frame of stars on standard output, amid the JSON Lines.
            session = onnxruntime.InferenceSession(
                str(whole), options, providers=list(providers), enable_fallback=False
            )
        inputs = session.get_inputs()
        return Session(
            session,
            [_tensor_info(each) for each in inputs],
            {each.name: each.type for each in inputs},
            [_tensor_info(each) for each in session.get_outputs()],
        )
    except Exception as error:  # ONNX Runtime has a dozen unrelated exception types
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} refuses {path}: {_first_line(error)}"
        ) from None


def _providers(device: Device, precision: Precision) -> list[str | tuple[str, dict[str, str]]]:
    """Return the execution providers for a device, the processor last.

    Raises:
        BackendError: this build of ONNX Runtime does not have the device.
    """
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if _PROVIDERS[device] not in onnxruntime.get_available_providers():
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} has no device {device!r} here; put onnxruntime-gpu in place "
            "of onnxruntime, or use --device cpu"
        )
    providers: list[str | tuple[str, dict[str, str]]] = [_PROVIDERS["cuda"], "CPUExecutionProvider"]
    if device == "tensorrt":
        providers.insert(0, (_PROVIDERS[device], {"trt_fp16_enable": str(precision == "f16")}))
    return providers


def _tensor_info(entry: onnxruntime.NodeArg) -> TensorInfo:
    return TensorInfo(
        entry.name, tuple(side if isinstance(side, int) and side > 0 else None for side in entry.shape)
    )


def _first_line(error: Exception) -> str:
    """Return the first line of ONNX Runtime's message: the reason, before the advice to developers."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

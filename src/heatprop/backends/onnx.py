"""Inference with ONNX Runtime: on the processor, where it always works, or on a graphics card when asked to."""

from __future__ import annotations

import numpy as np
import onnxruntime

from heatprop.backends.base import (
    INPUT,
    Device,
    Precision,
    check_heads,
    check_images,
    in_batches,
    share_processors,
    split_heads,
    to_planes,
    wanted_channels,
)
from heatprop.backends.external_weights import weights_beside
from heatprop.errors import BackendError
from heatprop.types import HeadOutput, ImageArray
from heatprop.zoo import Model

_FATAL_ONLY = 4  # what fails is raised as an exception; printing it as well would reach the user twice
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
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
        self._outputs = list(wanted_channels(model.card))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL_ONLY
        options.intra_op_num_threads = max(1, threads // self.concurrency)
        options.inter_op_num_threads = 1
        # Idle threads that spin take the processor from decoding and drawing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            with weights_beside(model.path) as path:
                # Falling back by itself, it would write a frame of stars on standard output, amid the JSON Lines.
                self._session = onnxruntime.InferenceSession(
                    str(path), options, providers=providers, enable_fallback=False
                )
            inputs = self._session.get_inputs()
            channels = {each.name: _channels(each.shape) for each in self._session.get_outputs()}
        except Exception as error:  # ONNX Runtime has a dozen unrelated exception types
            raise BackendError(
                f"ONNX Runtime {onnxruntime.__version__} refuses {model.path}: {_first_line(error)}"
            ) from None
        if device != "cpu" and _PROVIDERS[device] not in self._session.get_providers():
            # ONNX Runtime falls back to the processor without an error where a library is missing.
            raise BackendError(
                f"ONNX Runtime cannot start {name} here; are the card's driver and libraries installed?"
            )
        check_heads([each.name for each in inputs], channels, model)
        if inputs[0].type not in _FLOATS:
            raise BackendError(
                f"model {model.path} takes {inputs[0].type}; ONNX Runtime can be given {', '.join(_FLOATS)}: "
                "export it again with such an input"
            )
        self._float = _FLOATS[inputs[0].type]
        self._batch = _fixed_batch(inputs[0].shape)

    def infer(self, images: ImageArray) -> list[HeadOutput]:
        """Run the network on a batch; see `heatprop.backends.Backend.infer`."""
        images = check_images(images, self._model.card)
        outputs: list[HeadOutput] = []
        for part, count in in_batches(images, self._batch):
            planes = to_planes(part, self._model.card.input).astype(self._float, copy=False)
            try:
                arrays = self._session.run(self._outputs, {INPUT: planes})
            except Exception as error:
                raise BackendError(
                    f"ONNX Runtime failed on images {images.shape} with {self._model.path}: {_first_line(error)}"
                ) from None
            named = {
                name: np.asarray(array, np.float32) for name, array in zip(self._outputs, arrays, strict=True)
            }
            outputs += split_heads(named, part, self._model)[:count]
        return outputs


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


def _channels(shape: list[int | str | None]) -> int | None:
    return shape[1] if len(shape) == 4 and isinstance(shape[1], int) else None


def _fixed_batch(shape: list[int | str | None]) -> int | None:
    return shape[0] if shape and isinstance(shape[0], int) and shape[0] > 0 else None


def _first_line(error: Exception) -> str:
    """Return the first line of ONNX Runtime's message: the reason, before the advice to developers."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

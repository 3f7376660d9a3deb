"""Inference backends: one interface, opened by name.

Runtimes take up to a second to import and some are optional, so each is imported only when it is opened.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from heatprop import zoo
from heatprop.backends.base import Backend, Device, Precision
from heatprop.backends.input_size import with_input_size
from heatprop.errors import BackendError, shortened
from heatprop.zoo import Model
from heatprop.zoo.metadata import NotOnnxError, read_operators

__all__ = ["Backend", "BackendName", "Device", "Precision", "available", "load_model", "open_backend"]

BackendName = Literal["auto", "onnx", "openvino", "torch"]

CHECKPOINTS = (".pth", ".pt", ".ckpt")


@dataclass(frozen=True, slots=True)
class _Runtime:
    """A backend before it is imported: what it needs, module and class here, what it opens and where it runs."""

    needs: str
    module: str
    kind: str
    opens: tuple[str, ...]
    devices: tuple[str, ...]


# Fastest first.
_BACKENDS = {
    "openvino": _Runtime("openvino", "heatprop.backends.openvino", "OpenVinoBackend", (".xml", ".onnx"), ("cpu",)),
    "onnx": _Runtime(
        "onnxruntime", "heatprop.backends.onnx", "OnnxBackend", (".onnx",), ("cpu", "cuda", "tensorrt")
    ),
    "torch": _Runtime("torch", "heatprop.backends.torch", "TorchBackend", CHECKPOINTS, ("cpu", "cuda")),
}


def available() -> list[str]:
    """Return the names of the backends whose runtime is installed, the fastest first.

    Example:
        >>> "onnx" in available()
        True
    """
    return [name for name, runtime in _BACKENDS.items() if importlib.util.find_spec(runtime.needs)]


def load_model(name_or_path: str | os.PathLike[str], *, input_size: int | None = None) -> Model:
    """Find a model as `heatprop.zoo.load` does, or read a PyTorch checkpoint (``.pth``, ``.pt``, ``.ckpt``).

    Args:
        name_or_path: the name of an embedded model, or the path of a file.
        input_size: the longer side of the image in the network's input, in pixels, in place of the card's; a
            multiple of the card's `input.multiple`.

    Raises:
        ModelError: there is no such model, or the file is unreadable or does not say what it is.
        InvalidConfigError: `input_size` is not one that the network can take.
        BackendError: it is a checkpoint, and PyTorch is not installed.
    """
    path = Path(name_or_path)
    if path.suffix in CHECKPOINTS and not path.is_dir():
        model: Model = _import("torch").load_model(path)
    else:
        model = zoo.load(name_or_path)
    return model if input_size is None else with_input_size(model, input_size)


def open_backend(
    name: str,
    model: Model,
    *,
    precision: Precision = "f32",
    device: Device = "auto",
    threads: int | None = None,
    concurrency: int | None = None,
) -> Backend:
    """Open a network in a backend.

    Args:
        name: one of `BackendName`; "auto" takes the fastest that is installed and opens such a file.
        model: from `load_model` or `heatprop.zoo.load`.
        precision: "f32" gives the same boxes on every machine; "bf16" is faster where the processor has it and
            moves boxes by a pixel or so (docs/decisions/006-precision.md); "f16" is for graphics cards.
        device: "auto" is the processor, except that PyTorch takes a graphics card (CUDA) where there is one;
            "cuda", and for ``.onnx`` files "tensorrt", ask for the card.
        threads: processors to use in all; None means all that the process may use.
        concurrency: calls at once that they are shared between; None means the most frames a second,
            1 the shortest time for a frame that waits for the one before.

    Raises:
        BackendError: the backend is unknown or not installed, or refuses the model, the precision or the device.
        InvalidConfigError: `threads` or `concurrency` is below 1.
    """
    if precision not in get_args(Precision):
        raise BackendError(f"precision {precision!r} is unknown; choose one of {', '.join(get_args(Precision))}")
    if device not in get_args(Device):
        raise BackendError(f"device {device!r} is unknown; choose one of {', '.join(get_args(Device))}")
    if name == "auto":
        name = _fastest(model, device)
    if name not in _BACKENDS:
        raise BackendError(
            f"backend {shortened(repr(name))} is unknown; choose one of {', '.join(['auto', *_BACKENDS])}"
        )
    runtime = _BACKENDS[name]
    if model.path.suffix not in runtime.opens:
        raise BackendError(
            f"backend {name!r} does not open {model.path}, only {', '.join(runtime.opens)}; "
            f"choose {' or '.join(_openers(model)) or 'another model'}, or export the checkpoint again"
        )
    if device not in ("auto", *runtime.devices):
        raise BackendError(
            f"backend {name!r} has no device {device!r}, only {', '.join(runtime.devices)}; "
            "choose one of these, or another backend"
        )
    choice = {"device": device} if len(runtime.devices) > 1 else {}
    backend: Backend = getattr(_import(name), runtime.kind)(
        model, precision=precision, threads=threads, concurrency=concurrency, **choice
    )
    return backend


def _openers(model: Model) -> list[str]:
    return [name for name, runtime in _BACKENDS.items() if model.path.suffix in runtime.opens]


def _fastest(model: Model, device: Device) -> str:
    """Return the fastest backend that is installed and opens the file; else one to install."""
    openers = _openers(model)
    if not openers:
        raise BackendError(f"no backend opens {model.path}; give an .onnx, .xml or .pth file")
    openers = [name for name in openers if device == "auto" or device in _BACKENDS[name].devices] or openers
    installed = [name for name in openers if name in available()]
    if "onnx" in installed and _is_deformable(model.path):
        return "onnx"  # OpenVINO's ONNX reader does not know the operator
    return (installed or openers[-1:])[0]


def _is_deformable(path: Path) -> bool:
    try:
        return "DeformConv" in read_operators(path)
    except (OSError, NotOnnxError):
        return False  # whoever opens the file will say what is wrong with it


def _import(name: str) -> Any:
    """Import the backend `name`.

    Raises:
        BackendError: it is not installed or cannot be imported.
    """
    if name not in available():
        raise BackendError(f"backend {name!r} is not installed; {_remedy(name)}")
    try:
        return importlib.import_module(_BACKENDS[name].module)
    except (ImportError, OSError) as error:
        raise BackendError(f"backend {name!r} cannot be imported ({error}); {_remedy(name)}") from None


def _remedy(name: str) -> str:
    extra = {"onnx": "onnxruntime", "torch": "heatprop[export]"}.get(name, f"heatprop[{name}]")
    return f"run: pip install --upgrade '{extra}'"

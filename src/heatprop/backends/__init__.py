"""Inference backends: one interface, opened by name.

Runtimes take up to a second to import and some are optional, so each is imported only when it is opened.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Literal

from heatprop.backends.base import Backend, Precision
from heatprop.errors import BackendError
from heatprop.zoo import Model

__all__ = ["Backend", "BackendName", "Precision", "available", "open_backend"]

BackendName = Literal["auto", "onnx", "openvino", "torch"]

# Fastest first: name, module that it needs, module and class here.
_BACKENDS = {
    "openvino": ("openvino", "heatprop.backends.openvino", "OpenVinoBackend"),
    "onnx": ("onnxruntime", "heatprop.backends.onnx", "OnnxBackend"),
}


def available() -> list[str]:
    """Return the names of the backends whose runtime is installed, the fastest first.

    Example:
        >>> "onnx" in available()
        True
    """
    return [name for name, (needs, _, _) in _BACKENDS.items() if importlib.util.find_spec(needs)]


def open_backend(
    name: str,
    model: Model,
    *,
    precision: Precision = "f32",
    threads: int | None = None,
    concurrency: int | None = None,
) -> Backend:
    """Open a network in a backend.

    Args:
        name: one of `BackendName`; "auto" takes the fastest that is installed.
        model: from `heatprop.zoo.load`.
        precision: "f32" gives the same boxes on every machine; "bf16" is faster where the processor has it and
            moves boxes by a pixel or so (docs/decisions/006-precision.md).
        threads: processors to use in all; None means all that the process may use.
        concurrency: calls at once that they are shared between; None means the most frames a second,
            1 the shortest time for a frame that waits for the one before.

    Raises:
        BackendError: the backend is unknown or not installed, or refuses the model or the precision.
        InvalidConfigError: `threads` or `concurrency` is below 1.
    """
    installed = available()
    if name == "auto":
        if not installed:
            raise BackendError(f"no backend is installed; {_remedy('onnx')}")
        name = installed[0]
    if name not in _BACKENDS:
        known = ", ".join(["auto", *_BACKENDS])
        unknown = "is not built yet" if name == "torch" else "is unknown"
        raise BackendError(f"backend {name!r} {unknown}; choose one of {known}")
    if name not in installed:
        raise BackendError(f"backend {name!r} is not installed; {_remedy(name)}")
    _, module, kind = _BACKENDS[name]
    try:
        opened = getattr(importlib.import_module(module), kind)
    except (ImportError, OSError) as error:
        raise BackendError(f"backend {name!r} cannot be imported ({error}); {_remedy(name)}") from None
    backend: Backend = opened(model, precision=precision, threads=threads, concurrency=concurrency)
    return backend


def _remedy(name: str) -> str:
    extra = "onnxruntime" if name == "onnx" else f"heatprop[{name}]"
    return f"run: pip install --upgrade '{extra}'"

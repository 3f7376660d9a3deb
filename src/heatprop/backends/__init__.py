"""Inference backends: one interface, opened by name.

Runtimes take up to a second to import and some are optional, so each is imported only when it is opened.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from heatprop import layouts, zoo
from heatprop.backends.base import Backend, Device, Precision
from heatprop.backends.input_size import with_input_size
from heatprop.backends.recognised import recognised
from heatprop.errors import BackendError, LayoutError, shortened
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


def load_model(
    name_or_path: str | os.PathLike[str] | Model,
    *,
    input_size: int | None = None,
    layout: str = layouts.AUTO,
    classes: Sequence[str] | None = None,
) -> Model:
    """Find an embedded model, or read a file: with a card, recognised without one, or a checkpoint of PyTorch.

    Args:
        name_or_path: the name of an embedded model, or the path of an ``.onnx`` or ``.xml`` file of any known
            family of detectors, or of a checkpoint (``.pth``, ``.pt``, ``.ckpt``); a model stays as it is.
        input_size: the longer side of the image in the network's input, in pixels, in place of the card's; a
            multiple of the card's `input.multiple`.
        layout: what the outputs of a file without a card mean: one of `heatprop.layouts.names`; "auto" finds out.
        classes: by number, in place of those in the file.

    Raises:
        ModelError: there is no such model, or the file is unreadable.
        LayoutError: a file without a card is of no known family, or may be of several, or not of `layout`, or has
            another number of classes.
        InvalidConfigError: `input_size` is not one that the network can take.
        BackendError: it is a checkpoint, and PyTorch is not installed; or no runtime opens a file without a card.
    """
    if isinstance(name_or_path, Model):
        model = name_or_path
    elif Path(name_or_path).suffix in CHECKPOINTS and not Path(name_or_path).is_dir():
        model = _import("torch").load_model(Path(name_or_path))
    else:
        path = zoo.find(name_or_path)
        card = zoo.read_card(path)
        if card is None:
            model, _ = recognised(path, layout=layout, class_names=classes)
        else:
            model = Model(card, path)
    model = _as_told(model, layout, classes)
    return model if input_size is None else with_input_size(model, input_size)


def _as_told(model: Model, layout: str, classes: Sequence[str] | None) -> Model:
    """Return a model with the names that a person gave.

    Raises:
        LayoutError: the model has another layout, or another number of classes.
    """
    card = model.card
    if layout not in (layouts.AUTO, card.layout):
        raise LayoutError(
            f"model {model.path} has layout {card.layout!r} by its card, not {shortened(repr(layout))}; "
            "leave the layout out"
        )
    if classes is None or tuple(classes) == card.classes:
        return model
    names = layouts.check_names(classes)
    if len(names) != len(card.classes):
        raise LayoutError(
            f"{layouts.names_given(len(names))}, but model {model.path} has {len(card.classes)} classes"
        )
    return replace(model, card=replace(card, classes=names))


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
    if "onnx" in installed and _is_refused_by_openvino(model):
        return "onnx"
    return (installed or openers[-1:])[0]


def _is_refused_by_openvino(model: Model) -> bool:
    """Return whether there is an operator that OpenVINO does not read, or behind which it makes up boxes: If."""
    try:
        operators = read_operators(model.path)
        return "DeformConv" in operators or ("If" in operators and model.card.gives_boxes)
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

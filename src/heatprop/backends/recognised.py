"""Files without a card: what they are is recognised, and a card made up for them.

The file is opened once more for that, and where it leaves sides open it runs on one empty image: then all shapes
are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop import layouts
from heatprop.backends.reading import of_image
from heatprop.errors import BackendError, LayoutError
from heatprop.layouts import Recognition, TensorInfo, image_input, other_inputs
from heatprop.zoo import Model, ModelCard, read_model_metadata

_SIDES = (640, 416, 320, 512, 800, 300)
_Run: TypeAlias = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]


class Measured(NamedTuple):
    """A file from outside.

    Attributes:
        inputs: with None for sides that are open.
        outputs: for one image of `size`.
        size: height and width.
        metadata: text by key.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    size: tuple[int, int]
    metadata: Mapping[str, str]


def recognised(
    path: Path, *, layout: str = layouts.AUTO, class_names: Sequence[str] | None = None
) -> tuple[Model, Recognition]:
    """Return a file without a card as a model, with a card made up for it.

    Args:
        path: ``.onnx`` or ``.xml``.
        layout: the family, where a person knows it.
        class_names: by number, where a person knows better than the file.

    Raises:
        LayoutError: the file is of no known family, or not of `layout`, or has other classes.
        ModelError: the file is unreadable or of another format.
        BackendError: no runtime opens it.
    """
    if layout != layouts.AUTO:
        layouts.get(layout)  # a wrong name is told before any work
    names = None if class_names is None else layouts.check_names(class_names)
    measured = measure(path)
    try:
        found = layouts.recognise(
            measured.inputs,
            measured.outputs,
            measured.metadata,
            measured_at=measured.size,
            layout=layout,
            classes=names,
        )
    except LayoutError as error:
        raise LayoutError(f"model {path}: {error}") from None
    return Model(card_of(path, found), path, taken_for=_in_words(found)), found


def _in_words(found: Recognition) -> str:
    return f"{found.layout.title} of {len(found.classes)} classes ({found.confidence})"


def card_of(path: Path, found: Recognition) -> ModelCard:
    """Return a card for what a file was taken for."""
    return ModelCard(
        name=" ".join(path.stem.split()) or "model",
        title=f"{found.layout.title}, {' '.join(path.name.split())}",
        classes=found.classes,
        stride=1,
        box_form="size",
        has_offset=False,
        input=found.input,
        licence="unknown",
        origin="unknown",
        sha256={},
        layout=found.layout.name,
    )


def measure(path: Path) -> Measured:
    """Open a file, and run it on an empty image where its shapes are open.

    Raises:
        LayoutError: its inputs are not those of a detector.
        ModelError: the file is unreadable or of another format.
        BackendError: no runtime opens it, or it runs with no usual size of input.
    """
    metadata = read_model_metadata(path)
    inputs, names, run = _open_xml(path) if path.suffix == ".xml" else _open_onnx(path)
    try:
        image = image_input(inputs)
        others = [each for each in inputs if each.name != image.name]
        batch = (image.shape[0] or 1) if len(image.shape) == 4 else 1
        problem: Exception | None = None
        for height, width in _sizes(image, metadata):
            shape = (batch, 3, height, width)[-len(image.shape) :]
            values = other_inputs(others, height, width)
            feed = {image.name: np.zeros(shape, np.float32)}
            feed |= {name: np.repeat(value, batch, axis=0) for name, value in values.items()}
            try:
                arrays = of_image(run(feed), batch, 0)
            except Exception as error:  # runtimes have dozens of unrelated exception types
                problem = error
                continue
            outputs = tuple(TensorInfo(name, arrays[name].shape) for name in names)
            return Measured(tuple(inputs), outputs, (height, width), metadata)
    except LayoutError as error:
        raise LayoutError(f"model {path}: {error}") from None
    reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
    raise BackendError(
        f"model {path} runs with no usual size of its input ({reason}); export it with a fixed size"
    )


def _open_onnx(path: Path) -> tuple[list[TensorInfo], list[str], _Run]:
    from heatprop.backends import onnx  # noqa: PLC0415 - its runtime takes a while to import

    session = onnx.open_session(path)
    names = [each.name for each in session.outputs]
    return session.inputs, names, lambda feed: session.run(names, feed)


def _open_xml(path: Path) -> tuple[list[TensorInfo], list[str], _Run]:
    try:
        from heatprop.backends import openvino  # noqa: PLC0415 - optional, and takes a while to import
    except ImportError:
        raise BackendError(f"{path} needs OpenVINO; run: pip install --upgrade 'heatprop[openvino]'") from None
    network = openvino.read_network(path)
    names = [each.name for each in openvino.outputs_of(network)]
    return openvino.inputs_of(network), names, lambda feed: openvino.run(network, names, feed)


def _sizes(image: TensorInfo, metadata: Mapping[str, str]) -> list[tuple[int, int]]:
    """Return heights and widths to try: the file's own, or what its metadata say, or what is usual."""
    height, width = image.shape[-2:]
    if height and width:
        return [(height, width)]
    digits = "".join(c if c.isdecimal() else " " for c in metadata.get("imgsz", "")).split()
    told = [int(each) for each in digits if 32 <= int(each) <= 4096][:1]
    return [(height or side, width or side) for side in (*told, *_SIDES)]

"""From a runtime's arrays to what a detector says: a heatmap network's `HeadOutput`, or any other's detections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heatprop import layouts
from heatprop.errors import BackendError, InvalidArrayError, LayoutError
from heatprop.layouts import TensorInfo, image_input, other_inputs
from heatprop.types import DetectorOutput, FloatArray, HeadOutput, ImageArray
from heatprop.zoo import Model, ModelCard
from heatprop.zoo.card import CENTERNET

INPUT = "images"
"""The input of networks that heatprop exports."""


HEADS = ("heatmap", "size", "offset")


class OutputReader(Protocol):
    """What one file takes and gives, seen from a backend.

    Attributes:
        image_input: the input that takes the image.
        outputs: the outputs that are read.
        batch: images a call; None for any number.
    """

    image_input: str
    outputs: list[str]
    batch: int | None

    def feed(self, planes: FloatArray) -> dict[str, NDArray[Any]]:
        """Return what all inputs take, for normalised images ``(N, 3, H, W)``."""

    def others(self, height: int, width: int) -> dict[str, NDArray[Any]]:
        """Return what the inputs beside the image take, for a batch of images of that size."""

    def read(self, arrays: Mapping[str, NDArray[Any]], images: ImageArray, count: int) -> list[DetectorOutput]:
        """Return what the outputs say of the first `count` images of a batch.

        Raises:
            BackendError: an output is not what the card says.
            InvalidArrayError: a number is not finite, where boxes are made of it at once.
        """


def reader_of(model: Model, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> OutputReader:
    """Return the reader for a model, once its file is found to be what its card says.

    Args:
        model: with its card.
        inputs: of the file; None for sides that it leaves open.
        outputs: likewise.

    Raises:
        BackendError: the file differs from its card.
    """
    if not model.card.gives_boxes:
        return HeatmapReader(model, inputs, outputs)
    try:
        return LayoutReader(model, inputs, outputs)
    except LayoutError as error:
        raise BackendError(f"model {model.path}: {error}") from None


def nms_iou_of(layout: str) -> float | None:
    """Return the overlap from which on boxes of a class are suppressed, by the layout that a card names.

    None for networks whose decoding does that, or that give one box for an object.
    """
    return None if layout == CENTERNET else layouts.get(layout).nms_iou


class HeatmapReader:
    """Reads `heatmap`, `size` and `offset` of a CenterNet; see `OutputReader`."""

    def __init__(self, model: Model, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> None:
        self._model = model
        self.image_input = INPUT
        channels = wanted_channels(model.card)
        self.outputs = list(channels)
        self.batch = _fixed_batch(inputs[0].shape) if inputs else None
        names = [each.name for each in inputs]
        if names != [INPUT]:
            raise BackendError(f"model {model.path} has the inputs {names}; it must have one called {INPUT!r}")
        offered = {each.name: each.shape for each in outputs}
        for name, wanted in channels.items():
            if name not in offered:
                raise BackendError(
                    f"model {model.path} has no output {name!r}, which its card promises; export it again"
                )
            found = offered[name][1] if len(offered[name]) == 4 else None
            if found not in (None, wanted):
                raise BackendError(
                    f"model {model.path}: output {name!r} has {found} channels but its card says {wanted}; "
                    "export it again"
                )
        if "offset" in offered and not model.card.has_offset:
            raise BackendError(
                f"model {model.path} has an output 'offset' but its card says that it has none; export it again"
            )

    def feed(self, planes: FloatArray) -> dict[str, NDArray[Any]]:
        """See `OutputReader.feed`."""
        return {INPUT: planes}

    def others(self, _height: int, _width: int) -> dict[str, NDArray[Any]]:
        """See `OutputReader.others`."""
        return {}

    def read(self, arrays: Mapping[str, NDArray[Any]], images: ImageArray, count: int) -> list[DetectorOutput]:
        """See `OutputReader.read`."""
        batch, height, width, _ = images.shape
        card = self._model.card
        grid = (height // card.stride, width // card.stride)
        for name, wanted in wanted_channels(card).items():
            if arrays[name].shape != (batch, wanted, *grid):
                raise BackendError(
                    f"model {self._model.path}: output {name!r} has shape {arrays[name].shape}; by its card it "
                    f"must be {(batch, wanted, *grid)}: export it again"
                )
        heads = {name: np.asarray(arrays[name], np.float32) for name in self.outputs}
        offsets = heads["offset"] if card.has_offset else [None] * batch
        outputs = zip(heads["heatmap"], heads["size"], offsets, strict=True)
        return [HeadOutput(*each) for each, _ in zip(outputs, range(count), strict=False)]


class LayoutReader:
    """Reads detections, in pixels of the network's input, by one of `heatprop.layouts`; see `OutputReader`.

    One image a call, unless the file asks for more: families differ in which outputs have a batch axis.
    """

    def __init__(self, model: Model, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> None:
        self._model, self._layout = model, layouts.get(model.card.layout)
        self._image = image_input(inputs)
        self._others = [each for each in inputs if each.name != self._image.name]
        other_inputs(self._others, 1, 1)  # an input of which nothing is known is told before any image
        self.image_input = self._image.name
        self.outputs = [each.name for each in outputs]
        self._count = (_fixed_batch(self._image.shape) or 1) if len(self._image.shape) == 4 else 1
        self.batch: int | None = self._count

    def feed(self, planes: FloatArray) -> dict[str, NDArray[Any]]:
        """See `OutputReader.feed`."""
        image = planes if len(self._image.shape) == 4 else planes[0]
        return {self.image_input: image, **self.others(*planes.shape[2:])}

    def others(self, height: int, width: int) -> dict[str, NDArray[Any]]:
        """See `OutputReader.others`."""
        values = other_inputs(self._others, height, width)
        return {name: np.repeat(value, self._count, axis=0) for name, value in values.items()}

    def read(self, arrays: Mapping[str, NDArray[Any]], images: ImageArray, count: int) -> list[DetectorOutput]:
        """See `OutputReader.read`."""
        _, height, width, _ = images.shape
        classes = len(self._model.card.classes)
        try:
            return [
                self._layout.candidates(of_image(arrays, self._count, number), height, width, classes)
                for number in range(count)
            ]
        except LayoutError as error:
            raise BackendError(f"model {self._model.path}: {error}") from None
        except InvalidArrayError as error:
            raise InvalidArrayError(f"model {self._model.path}: {error}") from None


def of_image(arrays: Mapping[str, NDArray[Any]], batch: int, number: int) -> dict[str, NDArray[Any]]:
    """Return the outputs for one image of a batch; those without a batch axis are the same for all."""
    return {
        name: array[number : number + 1] if batch > 1 and array.shape[:1] == (batch,) else array
        for name, array in arrays.items()
    }


def wanted_channels(card: ModelCard) -> dict[str, int]:
    """Return the outputs that a heatmap network with this card has, each with its number of channels."""
    channels = {"heatmap": len(card.classes), "size": card.size_channels}
    return channels | ({"offset": 2} if card.has_offset else {})


def _fixed_batch(shape: tuple[int | None, ...]) -> int | None:
    return shape[0] or None if shape else None

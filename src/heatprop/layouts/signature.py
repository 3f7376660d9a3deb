"""What a file says of itself: its inputs and outputs by name and shape, and its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import NamedTuple

from heatprop.layouts.class_names import names_in_metadata


class TensorInfo(NamedTuple):
    """Name and shape of an input or an output; None where the file leaves a side open."""

    name: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        """Return it for people, such as ``output0 1x84x8400``."""
        return f"{self.name} {'x'.join('?' if side is None else str(side) for side in self.shape) or 'scalar'}"


@dataclass(frozen=True)
class Signature:
    """What can be known of a network without looking at its numbers.

    Attributes:
        inputs: as the file has them.
        outputs: as they are for an input of `height` x `width`.
        height: of the input that the outputs were measured with, in pixels.
        width: likewise.
        metadata: text by key.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    height: int
    width: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """Names of the classes, as the exporter wrote them; None where it did not."""
        return names_in_metadata(self.metadata)

    @property
    def libreyolo(self) -> str | None:
        """The family, where LibreYOLO exported the file: it decodes boxes in the graph."""
        return self.metadata.get("model_family") if "libreyolo_version" in self.metadata else None

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in lower case."""
        return [each.name.lower() for each in self.outputs]

    @cached_property
    def tables(self) -> list[tuple[int, int]]:
        """Rows and columns of each output that is a table, a batch axis of 1 left out; rows may be none."""
        shapes = [each.shape for each in self.outputs]
        shapes = [shape[1:] if len(shape) == 3 and shape[0] == 1 else shape for shape in shapes]
        return [(shape[0], shape[1]) for shape in shapes if len(shape) == 2 and shape[0] is not None and shape[1]]

    @cached_property
    def maps(self) -> list[tuple[int, int, int]]:
        """Channels, height and width of each output that is a map, a batch axis of 1 left out."""
        shapes = [each.shape for each in self.outputs if len(each.shape) == 4 and each.shape[0] == 1]
        return [(c, h, w) for _, c, h, w in shapes if c and h and w]

    def decoded(self, sites: int) -> int | None:
        """Return the number of classes where there is one table alone, of 4 + C numbers for each of the sites.

        None where it is another, or where LibreYOLO says which family it is.
        """
        if self.libreyolo is not None or len(self.outputs) != 1 or len(self.tables) != 1:
            return None
        rows, columns = self.tables[0]
        classes = (columns if rows == sites else rows) - 4
        return classes if sites in (rows, columns) and self.agrees(classes) else None

    def cells(self, *strides: int) -> int:
        """Return how many cells the grids of some strides have together.

        >>> Signature((), (), 640, 640).cells(8, 16, 32)
        8400
        """
        return sum(ceil(self.height / stride) * ceil(self.width / stride) for stride in strides)

    def agrees(self, classes: int) -> bool:
        """Return whether so many classes are possible, and do not contradict the metadata."""
        return classes >= 1 and (self.names is None or len(self.names) == classes)

    def described(self) -> str:
        """Return the outputs for a message."""
        shown = [str(each) for each in self.outputs[:6]]
        return ", ".join([*shown, f"and {len(self.outputs) - 6} more"] if len(self.outputs) > 6 else shown)

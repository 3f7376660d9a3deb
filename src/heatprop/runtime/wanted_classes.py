"""Which classes of a model are wanted: the others are dropped from the network's output, before propagation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from heatprop.errors import InvalidConfigError, perhaps, shortened
from heatprop.types import Detections, DetectorOutput, HeadOutput, IntArray

_NAMES_SAID = 3


def numbers_of(only: Sequence[str | int], classes: Sequence[str]) -> IntArray:
    """Return the numbers of some classes, ascending, int64 ``(N,)``.

    Args:
        only: names, matched without regard to case, or numbers; of text, a name goes before the number that it is.
        classes: the names of all, by number.

    Raises:
        InvalidConfigError: there are none, or one is not among `classes`.

    Example:
        >>> numbers_of(["Truck", 0, "car"], ["person", "car", "truck"]).tolist()
        [0, 1, 2]
    """
    if isinstance(only, str) or not isinstance(only, Sequence) or not only:
        said = shortened(repr(only))
        raise InvalidConfigError(
            f"the wanted classes are {said}; give a list of names or numbers, such as ['person']"
        )
    return np.unique([_number_of(each, classes) for each in only])


def _number_of(wanted: object, classes: Sequence[str]) -> int:
    text = " ".join(str(wanted).split())
    folded = [name.casefold() for name in classes]
    if isinstance(wanted, str):
        for names, name in ((classes, text), (folded, text.casefold())):
            if name in names:
                return names.index(name)
    if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < len(classes):
        return int(text)
    meant = perhaps(text.casefold(), folded)
    if not meant:
        more = f" and {len(classes) - _NAMES_SAID:,} more" if len(classes) > _NAMES_SAID else ""
        meant = f"; it has {', '.join(classes[:_NAMES_SAID])}{more}, numbered from 0"
    raise InvalidConfigError(f"the model has no class {shortened(repr(text))}{meant}")


def without_others(output: DetectorOutput, wanted: IntArray) -> DetectorOutput:
    """Return what a network says of some classes alone: fewer channels of a heatmap, or fewer boxes.

    The channels of a heatmap are copied, and numbered anew from 0 (see `renumbered`); boxes keep their labels.

    Args:
        output: of one frame; stays as it is.
        wanted: numbers of classes, ascending.
    """
    if isinstance(output, HeadOutput):
        return replace(output, heatmap=output.heatmap[wanted])
    return output.select(np.isin(output.labels, wanted))


def renumbered(detections: Detections, wanted: IntArray) -> Detections:
    """Return detections of a heatmap of the wanted classes alone, with their numbers among all classes."""
    return replace(detections, labels=wanted[detections.labels])

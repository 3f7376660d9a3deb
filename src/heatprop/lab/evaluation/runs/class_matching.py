"""Which class of a model is which class of a dataset: by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from heatprop.errors import InvalidConfigError
from heatprop.types import Detections, DetectorOutput, HeadOutput, IntArray

# Names of the same thing in COCO, Pascal VOC, ImageNet VID and MOTChallenge; the first of each row stands for all.
_SYNONYMS = (
    ("person", "pedestrian"),
    ("airplane", "aeroplane"),
    ("motorcycle", "motorbike"),
    ("cat", "domestic cat"),
    ("cow", "cattle"),
    ("boat", "watercraft"),
    ("couch", "sofa"),
    ("tv", "tvmonitor", "tv monitor"),
    ("dining table", "diningtable"),
    ("potted plant", "pottedplant"),
    ("panda", "giant panda"),
    ("red panda", "lesser panda"),
)  # fmt: skip
_STANDARD = {name: names[0] for names in _SYNONYMS for name in names}


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatching:
    """The classes of a model that a dataset has, too, in the dataset's order.

    Attributes:
        channels: numbers of the model's classes, the channels of its heatmap, int64 ``(K,)``.
        labels: the dataset's class number of each, int64 ``(K,)``, ascending.
        missing: names of the dataset's classes that the model lacks; nothing is found of them.
    """

    channels: IntArray
    labels: IntArray
    missing: tuple[str, ...]

    def restrict(self, output: DetectorOutput) -> DetectorOutput:
        """Keep only what the dataset has classes for: channels of the heatmap, or boxes, whose labels are then
        places in `channels`."""
        if isinstance(output, Detections):
            rows, places = np.nonzero(output.labels[:, None] == self.channels)
            return replace(output.select(rows), labels=places)
        if len(self.channels) == len(output.heatmap) and (np.diff(self.channels) == 1).all():
            return output
        return HeadOutput(output.heatmap[self.channels], output.size, output.offset)


def match_classes(model_classes: Sequence[str], dataset_classes: Sequence[str]) -> ClassMatching:
    """Match by name; case, "_", "-" and the known synonyms of COCO, Pascal VOC, ImageNet VID and MOTChallenge do
    not matter.

    Raises:
        InvalidConfigError: they have no class in common.

    Example:
        >>> matched = match_classes(["person", "boat", "cat"], ["domestic_cat", "fox", "watercraft"])
        >>> matched.channels.tolist(), matched.labels.tolist(), matched.missing
        ([2, 1], [0, 2], ('fox',))
    """
    channel_of = {_standard(name): channel for channel, name in reversed(list(enumerate(model_classes)))}
    found = [channel_of.get(_standard(name)) for name in dataset_classes]
    pairs = [(channel, label) for label, channel in enumerate(found) if channel is not None]
    if not pairs:
        raise InvalidConfigError(
            f"the model and the dataset have no class in common: the model's begin with {model_classes[0]!r}, "
            f"the dataset's with {dataset_classes[0]!r}; choose a model of these classes"
        )
    channels, labels = np.array(pairs, np.int64).T
    missing = tuple(name for name, channel in zip(dataset_classes, found, strict=True) if channel is None)
    return ClassMatching(channels, labels, missing)


def _standard(name: str) -> str:
    plain = " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
    return _STANDARD.get(plain, plain)

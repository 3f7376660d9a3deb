"""What is kept of some consecutive frames of a run, in one file: when and how they were seen, and the outputs.

A chunk is an ``.npz`` file, in which the outputs of all its frames stand one after the other.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import HeatpropError, InvalidArrayError
from heatprop.io.whole_files import write_whole
from heatprop.runtime.kept_outputs import KeptOutput, SparseOutput, check_sparse, places_of
from heatprop.types import Detections, IntArray

CHUNK_FRAMES = 64
"""Frames of a chunk: so many at most are lost when the server is killed."""
_FAST = 1  # level of deflate
_INCOMPRESSIBLE = ("scores", "sizes", "offsets")
_FAR = 255  # a gap between two cells from which on it does not fit into a byte
Arrays = dict[str, NDArray[Any]]


class DamagedRunError(HeatpropError, ValueError):
    """A file of a run is missing or damaged."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptFrame:
    """A frame of a run without its image.

    Attributes:
        time: in seconds.
        width: of the frame in pixels.
        height: of the frame in pixels.
        starts_shot: whether another shot begins here.
        shows_the_same: see `heatprop.runtime.preprocessing.PreparedFrame`.
        output: the network's, as far as it is kept; or the detections of a file.
    """

    time: float
    width: int
    height: int
    starts_shot: bool
    shows_the_same: bool
    output: KeptOutput


def write_kept(path: Path, frames: Sequence[KeptFrame]) -> None:
    """Write a chunk, whole or not at all; its frames have outputs of one kind.

    Raises:
        OutputError: it cannot be written.
    """
    columns: Arrays = {
        "times": np.array([frame.time for frame in frames], np.float64),
        "sides": np.array([(frame.width, frame.height) for frame in frames], np.int32),
        "shots": np.array([(frame.starts_shot, frame.shows_the_same) for frame in frames], np.bool_),
    }
    sparse = [frame.output for frame in frames if isinstance(frame.output, SparseOutput)]
    if sparse:
        columns |= _sparse_columns(sparse) | {"best": best_of_classes(sparse)}
    else:
        columns |= detection_columns([frame.output for frame in frames if isinstance(frame.output, Detections)])
    write_arrays(path, columns)


def read_kept(path: Path) -> list[KeptFrame]:
    """Read a chunk.

    Raises:
        DamagedRunError: it is missing or damaged.
    """
    arrays = read_arrays(path)
    try:
        outputs: Sequence[KeptOutput] = _sparse_outputs(arrays) if "cells" in arrays else detections_of(arrays)
        rows = zip(
            arrays["times"].tolist(), arrays["sides"].tolist(), arrays["shots"].tolist(), outputs, strict=True
        )
        return [
            KeptFrame(time, width, height, starts_shot, shows_the_same, output)
            for time, (width, height), (starts_shot, shows_the_same), output in rows
        ]
    except (KeyError, ValueError, TypeError, IndexError, InvalidArrayError) as error:
        raise DamagedRunError(f"{path} is damaged ({error}); restart the run") from None


@dataclass(frozen=True, slots=True, eq=False)
class ChunkSummary:
    """What is known of a chunk without its outputs.

    Attributes:
        times: of its frames in seconds.
        cuts: places of its frames at which a shot begins, from 0.
        best: see `best_of_classes`; None where there are no heatmaps.
    """

    times: list[float]
    cuts: list[int]
    best: IntArray | None


def read_summary(path: Path) -> ChunkSummary:
    """Read what is known of a chunk without its outputs, which takes little time.

    Raises:
        DamagedRunError: it is missing or damaged.
    """
    arrays = read_arrays(path, ("times", "shots", "best"))
    if not {"times", "shots"} <= arrays.keys():
        raise DamagedRunError(f"{path} is damaged; restart the run")
    cuts = np.flatnonzero(arrays["shots"][:, 0]).tolist()
    return ChunkSummary(arrays["times"].tolist(), cuts, arrays.get("best"))


def best_of_classes(outputs: Sequence[SparseOutput]) -> IntArray:
    """Return the best score of each class in some outputs, of which there is one at least, in 65535ths, int64."""
    best = np.zeros(outputs[0].shape[0], np.int64)
    for output in outputs:
        _, height, width = output.shape
        np.maximum.at(best, output.cells // (height * width), output.scores.astype(np.int64))
    return best


def detection_columns(frames: Sequence[Detections]) -> Arrays:
    """Return the detections of some frames in columns, one after the other."""
    none = Detections.empty()
    each = [*frames, none]
    return {
        "counts": np.array([len(frame) for frame in frames], np.int64),
        "boxes": np.concatenate([frame.boxes for frame in each]),
        "scores": np.concatenate([frame.scores for frame in each]),
        "labels": np.concatenate([frame.labels for frame in each]),
        "lengths": np.concatenate([frame.lengths for frame in each]),
        "ids": np.concatenate([frame.track_ids for frame in each]),
    }


def detections_of(columns: Mapping[str, NDArray[Any]]) -> list[Detections]:
    """Return what `detection_columns` put together."""
    ends = np.cumsum(columns["counts"])
    return [
        Detections(*(columns[name][end - count : end] for name in ("boxes", "scores", "labels", "lengths", "ids")))
        for count, end in zip(columns["counts"].tolist(), ends.tolist(), strict=True)
    ]


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays by name, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """

    def write(partial: Path) -> None:
        with zipfile.ZipFile(partial, "w", compresslevel=_FAST) as archive:
            for name, array in arrays.items():
                archive.compression = zipfile.ZIP_STORED if name in _INCOMPRESSIBLE else zipfile.ZIP_DEFLATED
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)

    write_whole(path, write)


def read_arrays(path: Path, names: Sequence[str] | None = None) -> Arrays:
    """Read arrays by name: those that are there of `names`; None for all.

    Raises:
        DamagedRunError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if names is None or name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedRunError(f"{path} is missing or damaged ({error}); restart the run") from None


def only_classes(output: SparseOutput, channels: IntArray) -> SparseOutput:
    """Return what a kept output says of some classes alone, numbered anew from 0.

    Args:
        output: stays as it is.
        channels: numbers of classes, ascending, at least one.
    """
    classes, height, width = output.shape
    area = height * width
    place_of = np.full(classes, -1)
    place_of[channels] = np.arange(len(channels))
    label, place = np.divmod(output.cells, area)
    stays = place_of[label] >= 0
    shape = (len(channels), height, width)
    cells = place_of[label[stays]] * area + place[stays]
    if stays.all():
        return SparseOutput(shape, cells, output.scores, output.sizes, output.offsets)
    rows = np.searchsorted(places_of(output.cells, output.shape), places_of(cells, shape))
    offsets = None if output.offsets is None else output.offsets[rows]
    return SparseOutput(shape, cells, output.scores[stays], output.sizes[rows], offsets)


def _sparse_columns(outputs: Sequence[SparseOutput]) -> Arrays:
    gaps = np.concatenate([np.diff(output.cells, prepend=0) for output in outputs])
    columns: Arrays = {
        "shapes": np.array([output.shape for output in outputs], np.int32),
        "counts": np.array([len(output.cells) for output in outputs], np.int64),
        "cells": np.minimum(gaps, _FAR).astype(np.uint8),
        "far": gaps[gaps >= _FAR].astype(np.int32),
        "scores": np.concatenate([output.scores for output in outputs]),
        "places": np.array([len(output.sizes) for output in outputs], np.int64),
        "sizes": np.concatenate([output.sizes for output in outputs]),
    }
    offsets = [output.offsets for output in outputs if output.offsets is not None]
    return columns | ({"offsets": np.concatenate(offsets)} if offsets else {})


def _sparse_outputs(arrays: Arrays) -> list[SparseOutput]:
    outputs = []
    cell, place = 0, 0
    offsets = arrays.get("offsets")
    gaps = arrays["cells"].astype(np.int64)
    gaps[gaps == _FAR] = arrays["far"]
    counts = zip(arrays["shapes"].tolist(), arrays["counts"].tolist(), arrays["places"].tolist(), strict=True)
    for shape, cells, places in counts:
        rows, columns = slice(cell, cell + cells), slice(place, place + places)
        output = SparseOutput(
            tuple(shape),
            np.cumsum(gaps[rows]),
            arrays["scores"][rows],
            arrays["sizes"][columns],
            None if offsets is None else offsets[columns],
        )
        check_sparse(output)
        outputs.append(output)
        cell, place = cell + cells, place + places
    return outputs

"""Which causes of difficulty are at work in which frames: a file beside the dataset, for figures by difficulty."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heatprop.lab.datasets.annotations import DatasetError, VideoDataset
from heatprop.lab.synthesis.scenes import Shot
from heatprop.lab.synthesis.settings import CAUSES, SceneSettings
from heatprop.lab.synthesis.truth import TrueObject

CAUSES_FILE = "causes.json"
FAST = "fast"
"""Cause of its own: an annotated object moves by more than two cells in the frame."""

CLEAR = "clear"
"""No cause is at work but, perhaps, clutter."""

ALL_CAUSES = (*CAUSES, FAST, CLEAR)
_FAST_CELLS = 2.0

Runs = dict[str, list[list[int]]]


def runs_of_causes(shots: Sequence[Shot], truth: Sequence[Sequence[TrueObject]], settings: SceneSettings) -> Runs:
    """Return for each cause the runs of frames [first, last] of a video in which it is at work.

    Occlusion counts where an annotated object is occluded, whatever covers it.
    """
    active = {name: np.concatenate([shot.causes[name] for shot in shots]) for name in CAUSES}
    active["occlusion"] = np.array([any(each.occluded for each in frame) for frame in truth], np.bool_)
    active[FAST] = _fast(truth, settings.cell)
    others = [active[name] for name in active if name != "clutter"]
    active[CLEAR] = ~np.logical_or.reduce(others)
    return {name: _runs(where) for name, where in active.items() if where.any()}


def read_causes(dataset: VideoDataset, split: str) -> dict[str, NDArray[np.bool_]]:
    """Return for each cause in which frames of a synthetic dataset it is at work, bool ``(F,)``.

    Raises:
        DatasetError: the file is missing, damaged, or of another dataset.
    """
    path = Path(dataset.root) / CAUSES_FILE
    try:
        of_split: Mapping[str, Runs] = json.loads(path.read_bytes())[split]
        active = {name: np.zeros(dataset.frame_count, np.bool_) for name in ALL_CAUSES}
        for video in dataset.videos:
            for name, runs in of_split[video.name.rpartition("/")[2]].items():
                for first, last in runs:
                    active[name][video.start + first : video.start + last + 1] = True
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); only synthetic datasets have it") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: is not of this dataset ({error}); synthesize it again") from None
    return active


def _fast(truth: Sequence[Sequence[TrueObject]], cell: float) -> NDArray[np.bool_]:
    """Return where an object that was annotated in the frame before has moved far since, bool ``(F,)``."""
    fast = np.zeros(len(truth), np.bool_)
    before: dict[int, NDArray[np.float64]] = {}
    for frame, objects in enumerate(truth):
        places = {each.track: np.array(each.box, np.float64).reshape(2, 2).mean(axis=0) for each in objects}
        moved = [np.abs(place - before[track]).max() for track, place in places.items() if track in before]
        fast[frame] = max(moved, default=0.0) > _FAST_CELLS * cell
        before = places
    return fast


def _runs(where: NDArray[np.bool_]) -> list[list[int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]])))
    return [[int(first), int(end) - 1] for first, end in edges.reshape(-1, 2)]

"""Run methods on videos, and score their identities."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.counting.objects import LEAST_FRAMES
from heatprop.io.image_files import read_image
from heatprop.lab.datasets.annotations import VideoDataset, select_videos
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.tracking import TrackingResult, tracking_result
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cached_methods import detect_video
from heatprop.lab.evaluation.runs.temporal import TemporalMethod, head_milliseconds
from heatprop.types import Detections, ImageArray
from identities.families import Family, Footage

FIGURES = ("HOTA", "DetA", "AssA", "IDF1", "MOTA", "IDSW", "recall", "ids")
"""Shares of 1, but for IDSW and ids, which are counts: of switches, and of ids shown in at least 5 frames."""


@dataclass(frozen=True)
class Clip:
    """A video that waits to be tracked.

    Attributes:
        dataset: of it alone.
        found: its detections by each head, of the classes that are scored in it.
        milliseconds: of each head, a frame.
        frame_rate: frames a second.
        with_images: whether methods that look at images get them.
    """

    dataset: VideoDataset
    found: Mapping[TemporalMethod, Sequence[Detections]]
    milliseconds: Mapping[TemporalMethod, float]
    frame_rate: float
    with_images: bool

    @property
    def name(self) -> str:
        """The video's."""
        return self.dataset.videos[0].name


@dataclass(frozen=True)
class Score:
    """What one setting of a method is worth on one video.

    Attributes:
        result: of TrackEval.
        ids: how many ids are shown in at least 5 frames.
        milliseconds: of one processor a frame, from the network's output on.
    """

    result: TrackingResult
    ids: int
    milliseconds: float

    def figures(self) -> NDArray[np.float64]:
        """Return `FIGURES` as float64 ``(figures,)``."""
        return figures(self.result, self.ids)


def figures(result: TrackingResult, ids: float, counts: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Return `FIGURES` of some videos together; `counts` says how many times each is there, None once."""
    values = result.figures(counts)
    times = np.ones(len(result.videos), np.int64) if counts is None else counts
    clear = [(each["CLEAR"], times[number]) for (number, _), each in result.sequences.items()]
    hits, misses = (sum(each[name] * n for each, n in clear) for name in ("CLR_TP", "CLR_FN"))
    known = values | {"recall": hits / max(hits + misses, 1), "ids": ids}
    return np.array([known[name] for name in FIGURES])


def joined(scores: Sequence[Score]) -> Score:
    """Return what a setting is worth on several videos together."""
    results = [each.result for each in scores]
    whole = replace(
        results[0],
        videos=tuple(name for each in results for name in each.videos),
        detections=sum(each.detections for each in results),
        sequences={
            (number, label): sequence
            for number, each in enumerate(results)
            for (_, label), sequence in each.sequences.items()
        },
        objects=np.concatenate([each.objects for each in results]),
    )
    milliseconds = float(np.mean([each.milliseconds for each in scores]))
    return Score(whole, sum(each.ids for each in scores), milliseconds)


def clips_of(
    dataset: VideoDataset, cache: OutputCache, heads: Sequence[TemporalMethod], *, images: bool
) -> Iterator[Clip]:
    """Detect by all heads in each video of a dataset."""
    times = dict(zip(heads, head_milliseconds(dataset, cache, heads), strict=True))
    label_of = {name: label for label, name in enumerate(dataset.classes)}
    labels = np.array([label_of[name] for name in cache.manifest.classes], np.int64)
    rates = frame_rates(dataset)
    for number, video in enumerate(dataset.videos):
        alone = select_videos(dataset, [number])
        tables = detect_video(cache.path, number, video, labels, heads)
        found = {head: _frames_of(dataset, number, table) for head, table in zip(heads, tables, strict=True)}
        yield Clip(alone, found, times, rates.get(video.name, 30.0), images)


def _frames_of(dataset: VideoDataset, number: int, table: DetectionTable) -> list[Detections]:
    """Return the detections of each frame of a video, of the classes that are scored in it."""
    video = dataset.videos[number]
    if video.evaluated is not None:
        table = table.select(np.isin(table.labels, sorted(video.evaluated)))
    bounds = np.searchsorted(table.frames, [*video.rows, video.start + video.length])
    return [
        Detections(
            table.boxes[start:end].astype(np.float32),
            table.scores[start:end].astype(np.float32),
            table.labels[start:end],
            track_ids=table.track_ids[start:end],
        )
        for start, end in pairwise(bounds.tolist())
    ]


def frame_rates(dataset: VideoDataset) -> dict[str, float]:
    """Return the frames a second of the videos of which the dataset says it: CocoVID may, as ``fps``."""
    if dataset.layout != "coco-video":
        return {}
    videos = json.loads(Path(dataset.annotation_paths[0]).read_bytes())["videos"]
    return {each["name"]: float(each["fps"]) for each in videos if "fps" in each}


def shown_ids(frames: Sequence[Detections]) -> int:
    """Return how many ids are in at least 5 frames."""
    ids = np.concatenate([np.empty(0, np.int64), *(found.track_ids for found in frames)])
    return int((np.unique(ids, return_counts=True)[1] >= LEAST_FRAMES).sum())


def true_ids(dataset: VideoDataset) -> int:
    """Return how many objects of a video are annotated in at least 5 frames, of the classes that are scored."""
    truth, (video,) = dataset.truth, dataset.videos
    truth = truth.select(~truth.crowd)
    if video.evaluated is not None:
        truth = truth.select(np.isin(truth.labels, sorted(video.evaluated)))
    return int((np.unique(truth.tracks, return_counts=True)[1] >= LEAST_FRAMES).sum())


def measure(clip: Clip, family: Family, chosen: Sequence[int]) -> list[Score]:
    """Run a method on a video with each of the chosen settings, and score it."""
    cv2.setNumThreads(1)  # so that its time is of one processor
    wants_images = family.takes_images and clip.with_images
    paths = tuple(map(str, clip.dataset.image_paths)) if wants_images else None
    footage = Footage(None if paths is None else _images(paths), clip.frame_rate)
    detections, scores = clip.found[family.head], []
    for number in chosen:
        started = time.thread_time()
        frames = family.candidates[number](detections, footage)
        spent = 1e3 * (time.thread_time() - started) / len(frames)
        table = DetectionTable.from_frames(enumerate(frames))
        result = tracking_result(clip.dataset, table, 0.0)
        scores.append(Score(result, shown_ids(frames), clip.milliseconds[family.head] + spent))
    return scores


@lru_cache(maxsize=1)
def _images(paths: tuple[str, ...]) -> list[ImageArray]:
    return [read_image(path) for path in paths]


def measure_all(clips: Sequence[Clip], family: Family, chosen: Sequence[int], jobs: int) -> dict[int, list[Score]]:
    """Return for each of the chosen settings of a method what it is worth on each video."""
    work = partial(measure, family=family, chosen=chosen)
    if jobs == 1:
        by_clip = list(map(work, clips))
    else:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            by_clip = list(pool.map(work, clips))
    return {number: [scores[place] for scores in by_clip] for place, number in enumerate(chosen)}

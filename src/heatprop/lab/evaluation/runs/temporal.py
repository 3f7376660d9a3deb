"""Temporal methods of every kind on one cache: on the network's outputs, and on finished detections."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from heatprop.backends.reading import nms_iou_of
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.runs.cache import OutputCache, part_count, part_rows
from heatprop.lab.evaluation.runs.methods import Method, VideoMethod
from heatprop.letterbox import fit_letterbox
from heatprop.offline.joining import JoiningConfig, join_tracks
from heatprop.offline.seqbbox import SeqBboxConfig, SeqBboxMatcher, seq_bbox
from heatprop.offline.seqnms import SeqNmsConfig, seq_nms
from heatprop.propagation import PropagationConfig
from heatprop.runtime.kept_outputs import restored
from heatprop.types import Detections

_TIMED_PARTS = 6


class Step(Protocol):
    """What is done to the detections of one video, all frames in order; it can be pickled."""

    def __call__(self, detections: Sequence[Detections], /) -> list[Detections]:
        """Return what is left, added or changed in each frame."""


@dataclass(frozen=True, kw_only=True)
class TemporalMethod(Method):
    """A method on the network's outputs, and what is done to its detections afterwards.

    It can stand wherever a `Method` can; `run_cached` does what a `Method` says, and `finish` the steps.

    Attributes:
        title: how tables call it.
        steps: from the first to the last.
        online: whether it knows only the frames up to the present one.

    Example:
        >>> offline = TemporalMethod(title="Seq-NMS", name="network", steps=(partial(seq_nms),), online=False)
        >>> str(offline)
        'Seq-NMS'
    """

    title: str
    steps: tuple[Step, ...] = ()
    online: bool = True

    def __str__(self) -> str:
        return self.title

    def then(self, title: str, step: Step, *, online: bool = True) -> TemporalMethod:
        """Return the method with one more step."""
        return replace(self, title=title, steps=(*self.steps, step), online=self.online and online)

    def with_seq_nms(self, config: SeqNmsConfig = SeqNmsConfig()) -> TemporalMethod:
        """Return the method with Seq-NMS afterwards."""
        return self.then(f"{self.title} + Seq-NMS", partial(seq_nms, config=config), online=False)


def seq_bbox_online(detections: Sequence[Detections], config: SeqBboxConfig = SeqBboxConfig()) -> list[Detections]:
    """Rescore a video by `SeqBboxMatcher`, frame after frame."""
    matcher = SeqBboxMatcher(config)
    return [matcher.update(found) for found in detections]


def head_methods() -> list[TemporalMethod]:
    """Return the methods on the network's outputs, the network alone first."""
    return [
        TemporalMethod(title="network alone", name="network"),
        TemporalMethod(title="interpolation", name="interpolation"),
        TemporalMethod(title="HP, the paper's", propagation=PropagationConfig.paper()),
        TemporalMethod(title="HP, adaptive", propagation=PropagationConfig.adaptive()),
    ]


def temporal_methods(config: SeqBboxConfig = SeqBboxConfig()) -> list[TemporalMethod]:
    """Return the methods that heatprop has: the network alone first, then the online ones, then the offline ones.

    Args:
        config: of Seq-Bbox Matching.
    """
    heads = head_methods()
    alone = heads[0]
    return [
        *heads,
        alone.then("Seq-Bbox Matching, online", partial(seq_bbox_online, config=config)),
        *(each.with_seq_nms() for each in heads),
        alone.then("Seq-Bbox Matching, offline", partial(seq_bbox, config=config), online=False),
    ]


def methods_with_identities(shown_from: float) -> list[TemporalMethod]:
    """Return those of `temporal_methods` that carry identities from frame to frame, then the offline ones joined.

    Args:
        shown_from: tracks are joined of detections of at least this score.
    """
    methods = [each for each in temporal_methods() if each.name not in ("network", "interpolation")]
    join = partial(join_tracks, config=JoiningConfig(min_score=shown_from))
    joined = [each.then(f"{each.title}, joined", join, online=False) for each in methods if not each.online]
    return [*methods, *joined]


def finish(dataset: VideoDataset, method: Method, table: DetectionTable) -> tuple[DetectionTable, float]:
    """Do the steps of a method, video after video.

    Args:
        dataset: what the detections are of.
        method: one without steps is left alone.
        table: what it detects before the steps, by frame.

    Returns:
        The detections afterwards, and the milliseconds of one processor that the steps took a frame.
    """
    steps = method.steps if isinstance(method, TemporalMethod) else ()
    if not steps:
        return table, 0.0
    found: list[tuple[int, Detections]] = []
    spent = 0.0
    bounds = np.searchsorted(table.frames, np.arange(dataset.frame_count + 1)).tolist()
    frames = [
        Detections(
            table.boxes[start:end].astype(np.float32),
            table.scores[start:end].astype(np.float32),
            table.labels[start:end],
            track_ids=table.track_ids[start:end],
        )
        for start, end in pairwise(bounds)
    ]
    for video in dataset.videos:
        detections = frames[video.start : video.start + video.length]
        started = time.thread_time()
        for step in steps:
            detections = step(detections)
        spent += time.thread_time() - started
        found += zip(video.rows, detections, strict=True)
    return DetectionTable.from_frames(found), 1e3 * spent / max(dataset.frame_count, 1)


def head_milliseconds(dataset: VideoDataset, cache: OutputCache, methods: Sequence[Method]) -> list[float]:
    """Measure how long methods take from the network's output of a frame to its detections, without their steps.

    On up to 6 parts of the cache, spread over the dataset, one method after another in this thread.

    Returns:
        Milliseconds of one processor a frame, of each method.

    Raises:
        CacheError: the cache is damaged.
    """
    parts = [(number, part) for number, video in enumerate(dataset.videos) for part in range(part_count(video))]
    chosen = [parts[place] for place in np.unique(np.linspace(0, len(parts) - 1, _TIMED_PARTS).astype(int))]
    manifest = cache.manifest
    label_of = {name: label for label, name in enumerate(dataset.classes)}
    labels = np.array([label_of[name] for name in manifest.classes], np.int64)
    spent, frames = [0.0] * len(methods), 0
    for number, part in chosen:
        content = cache.read(number, part, len(part_rows(dataset.videos[number], part)))
        fitted = [
            fit_letterbox(width, height, manifest.input_format) for width, height in content.frame_sizes.tolist()
        ]
        outputs = [restored(kept) for kept in content.outputs]
        frames += len(outputs)
        for place, method in enumerate(methods):
            at_work = VideoMethod(method, labels, manifest.stride, nms_iou_of(manifest.model_layout))
            started = time.thread_time()
            for output, each in zip(outputs, fitted, strict=True):
                at_work.update(output, each)
            spent[place] += time.thread_time() - started
    return [1e3 * seconds / max(frames, 1) for seconds in spent]

"""Temporal methods side by side: what each scores, and how sure the difference to the first is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.errors import check_count, check_range
from heatprop.lab.datasets.annotations import VideoDataset
from heatprop.lab.evaluation.detections import DetectionTable
from heatprop.lab.evaluation.metrics.flicker import SHOWN_FROM, Flicker, flicker
from heatprop.lab.evaluation.metrics.matching import match
from heatprop.lab.evaluation.metrics.overlap_matching import match_at
from heatprop.lab.evaluation.metrics.ranking import Ranking, rank_coco, rank_official
from heatprop.lab.evaluation.metrics.tracking import TrackingResult, tracking_result
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cached_methods import run_cached
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.temporal import TemporalMethod, finish, head_milliseconds
from heatprop.lab.evaluation.tables import json_number
from heatprop.types import IntArray

ComparedMetric: TypeAlias = Literal["coco", "official", "tracking"]
COMPARED_IDENTITIES = ("HOTA", "DetA", "AssA", "IDF1", "MOTA", "IDSW")
"""What "tracking" gives, of `TRACKING_FIGURES`."""
_SHOWN_OVERLAP = 0.5


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How methods are compared.

    Attributes:
        metric: "coco" gives AP50 and AP75, "official" the mAP of ImageNet VID, "tracking" `COMPARED_IDENTITIES`.
        shown_from: identities, flicker and false positives are counted of detections with at least this score; in
            [0, 1].
        resamples: how many times videos are drawn anew for the intervals; at least 1.
        seed: of the drawing.

    Raises:
        InvalidConfigError: a value lies outside its range.
    """

    metric: ComparedMetric = "coco"
    shown_from: float = SHOWN_FROM
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("shown_from", self.shown_from, 0, 1)
        check_count("resamples", self.resamples, 1)
        check_count("seed", self.seed, 0)

    def draws(self, videos: int) -> IntArray:
        """Return how many times each video is in each resampling, int64 ``(resamples, videos)``."""
        random = np.random.default_rng(self.seed)
        return random.multinomial(videos, np.full(videos, 1 / videos), size=self.resamples)


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonRow:
    """What one method scores. Shares are of 1; `changes` are a hundred frames of track, false positives a frame,
    IDSW a count.

    Attributes:
        method: which.
        names: of the figures.
        values: of all videos together, float64 ``(figures,)``.
        resampled: in each resampling of the videos, float64 ``(resamples, figures)``.
        by_video: of each video alone, float64 ``(videos, figures)``; NaN where a video has no such thing.
        milliseconds: of one processor a frame, from the network's output to the last step; NaN if not measured.
    """

    method: TemporalMethod
    names: tuple[str, ...]
    values: NDArray[np.float64]
    resampled: NDArray[np.float64]
    by_video: NDArray[np.float64]
    milliseconds: float

    def value(self, name: str) -> float:
        """Return a figure."""
        return float(self.values[self.names.index(name)])

    def to_dict(self, first: ComparisonRow) -> dict[str, Any]:
        """Return the figures for JSON, and the differences to the first method as [difference, low, high].

        They are called `against_network` where that is the network alone, else `against_first`.
        """
        known = zip(self.names, self.values.tolist(), strict=True)
        return {
            "method": self.method.title,
            "online": self.method.online,
            **{name: json_number(value) for name, value in known},
            "milliseconds": json_number(self.milliseconds),
            "against_network" if first.method.name == "network" else "against_first": {
                name: list(map(json_number, difference(self, first, name))) for name in self.names
            },
        }


def difference(row: ComparisonRow, alone: ComparisonRow, name: str) -> tuple[float, float, float]:
    """Return by how much a figure differs from that of another method, and the ends of its 95 % interval.

    The interval is that of the bootstrap over videos: of the differences in the same resamplings of both, the
    quantiles 0.025 and 0.975. With a handful of videos it is rough, with one it is nothing: NaN.
    """
    place = row.names.index(name)
    delta = float(row.values[place] - alone.values[place])
    differences = row.resampled[:, place] - alone.resampled[:, place]
    differences = differences[~np.isnan(differences)]
    if len(row.by_video) < 2 or not len(differences):
        return delta, np.nan, np.nan
    low, high = np.quantile(differences, [0.025, 0.975]).tolist()
    return delta, low, high


def compare(
    dataset: VideoDataset,
    cache: OutputCache,
    methods: Sequence[TemporalMethod],
    settings: ComparisonSettings,
    *,
    subsets: Mapping[str, NDArray[np.bool_]] | None = None,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[ComparisonRow]:
    """Score methods on the outputs in a cache; see `run_cached` for the other arguments and errors.

    Args:
        dataset: what the cache is of.
        cache: whole.
        methods: in the order of the rows; for "tracking" such as give identities.
        settings: how.
        subsets: frames, bool ``(F,)``, on which average precision is counted besides, by name.
        jobs: processes at once.
        advance: see `run_cached`.

    Yields:
        The row of each method.
    """
    heads = [replace(method, title="", steps=(), online=True) for method in methods]
    known = dict.fromkeys(heads)
    times = dict(zip(known, head_milliseconds(dataset, cache, list(known)), strict=True))
    work = partial(score_method, settings=settings, subsets=dict(subsets or {}))
    rows = run_cached(dataset, cache, methods, work, jobs=jobs, advance=advance)
    for head, row in zip(heads, rows, strict=True):
        yield replace(row, milliseconds=times[head] + row.milliseconds)


def score_method(
    dataset: VideoDataset,
    method: Method,
    table: DetectionTable,
    *,
    settings: ComparisonSettings,
    subsets: Mapping[str, NDArray[np.bool_]],
) -> ComparisonRow:
    """Do the steps of a method and score it; `milliseconds` are those of the steps."""
    assert isinstance(method, TemporalMethod)
    table, milliseconds = finish(dataset, method, table)
    scores = _Scores.of(dataset, table, settings, subsets)
    videos = len(dataset.videos)
    return ComparisonRow(
        method=method,
        names=tuple(scores.figures(np.ones(videos))),
        values=scores.vector(np.ones(videos)),
        resampled=np.array([scores.vector(counts) for counts in settings.draws(videos)]),
        by_video=np.array([scores.vector(counts) for counts in np.eye(videos)]),
        milliseconds=milliseconds,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """What a method's detections are worth, for any number of times that each video counts."""

    rankings: dict[str, Ranking]
    identities: TrackingResult | None
    steadiness: Flicker

    @classmethod
    def of(
        cls,
        dataset: VideoDataset,
        table: DetectionTable,
        settings: ComparisonSettings,
        subsets: Mapping[str, NDArray[np.bool_]],
    ) -> _Scores:
        at_half = match_at(dataset, table, _SHOWN_OVERLAP)
        rankings: dict[str, Ranking] = {}
        identities = None
        if settings.metric == "coco":
            at_three_quarters = match_at(dataset, table, 0.75)
            for name, where in {"": None, **subsets}.items():
                rankings[f"AP50 {name}".strip()] = rank_coco(at_half, where)
                rankings[f"AP75 {name}".strip()] = rank_coco(at_three_quarters, where)
        elif settings.metric == "tracking":
            identities = tracking_result(dataset, table, settings.shown_from)
        else:
            matching = match(dataset, table)
            for name, where in {"": None, **subsets}.items():
                rankings[f"mAP {name}".strip()] = rank_official(matching, where)
        return cls(rankings, identities, flicker(at_half, settings.shown_from))

    def figures(self, counts: NDArray[Any]) -> dict[str, float]:
        values = {name: ranking.mean_average_precision(counts) for name, ranking in self.rankings.items()}
        if self.identities is not None:
            figures = self.identities.figures(counts)
            values |= {name: figures[name] for name in COMPARED_IDENTITIES}
        return values | self.steadiness.figures(counts)

    def vector(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        return np.array(list(self.figures(counts).values()))

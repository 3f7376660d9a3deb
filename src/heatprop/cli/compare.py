"""`heatprop compare`: temporal methods side by side on cached network outputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console, Group

from heatprop.backends.base import usable_processors
from heatprop.cli.messages import say
from heatprop.cli.progress import FrameProgress
from heatprop.errors import check_count
from heatprop.interrupts import Interrupted
from heatprop.lab.datasets import Layout, load_dataset
from heatprop.lab.evaluation.metrics.flicker import SHOWN_FROM
from heatprop.lab.evaluation.metrics.track_sequences import import_trackeval, true_tracks
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cache_manifest import require_dataset
from heatprop.lab.evaluation.runs.comparison import (
    COMPARED_IDENTITIES,
    ComparedMetric,
    ComparisonRow,
    ComparisonSettings,
    compare,
    difference,
)
from heatprop.lab.evaluation.runs.temporal import methods_with_identities, temporal_methods
from heatprop.lab.evaluation.tables import new_table, number_text, titled

_SHARES = ("AP50", "AP75", "mAP", "found", "HOTA", "DetA", "AssA", "IDF1", "MOTA")
_MIN_WIDTH = {"tracking": 230}  # what the intervals take; narrower, they would be broken into pieces
_USUAL_MIN_WIDTH = 170
_TITLES = {
    **{name: name for name in ("AP50", "AP75", "mAP", *COMPARED_IDENTITIES)},
    "changes": "changes",
    "deviation": "deviation",
    "found": "found",
    "false_positives": "FP",
}


@dataclass(frozen=True, slots=True)
class Compare:
    """Compare temporal methods on network outputs that evaluate --cache has kept.
    $ heatprop compare --cache outputs --dataset coco-video --root clips
    $ heatprop compare --cache outputs --dataset imagenet-vid --root ILSVRC2015 --metric official --json
    $ heatprop compare --cache outputs --dataset mot-challenge --root MOT17 --split train --metric tracking

    The network alone; online: interpolation, heatmap propagation, the paper's and adaptive, Seq-Bbox Matching;
    offline: Seq-NMS after each, Seq-Bbox Matching. Of these --metric tracking takes the propagations, which alone
    keep identities, and joins the tracks of the offline ones.
    """

    cache: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that evaluate --cache has filled to the end."""
    dataset: Layout
    """How the dataset's files are laid out."""
    root: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the dataset, of coco-video also its JSON file; images are not needed."""
    split: str = "val"
    """Of ImageNet VID or MOTChallenge."""
    metric: ComparedMetric = "coco"
    """coco: AP50 and AP75; official: mAP of ImageNet VID; tracking: HOTA, IDF1 and MOTA, which need trackeval."""
    shown_from: Annotated[float, tyro.conf.arg(metavar="SCORE")] = SHOWN_FROM
    """Score from which a detection counts for identities, flicker and false positives, 0 to 1."""
    resamples: int = ComparisonSettings.resamples
    """How often videos are drawn anew for the intervals."""
    seed: int = ComparisonSettings.seed
    """Of the drawing."""
    jobs: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Parallel processes; default: one for each processor."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print JSON instead of tables."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad, or the cache is not that of the dataset, damaged or not whole.
        """
        settings = ComparisonSettings(
            metric=self.metric, shown_from=self.shown_from, resamples=self.resamples, seed=self.seed
        )
        jobs = usable_processors() if self.jobs is None else self.jobs
        check_count("--jobs", jobs, 1)
        if self.metric == "tracking":
            import_trackeval()
        cache = OutputCache(self.cache)
        dataset = load_dataset(self.dataset, self.root, self.split)
        require_dataset(self.cache, cache.manifest, dataset, self.split)
        cache.require_whole(dataset.videos)
        if self.metric == "tracking":
            true_tracks(dataset)  # to know before other processes are started
        methods = methods_with_identities(self.shown_from) if self.metric == "tracking" else temporal_methods()
        total = dataset.frame_count * len(methods)
        try:
            with FrameProgress(f"{len(methods)} methods", total, quiet=self.quiet) as progress:
                rows = list(
                    compare(
                        dataset,
                        cache,
                        methods,
                        settings,
                        jobs=jobs,
                        advance=progress.advance,
                    )
                )
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; nothing is written")
            return interrupted.exit_code
        if self.json:
            sys.stdout.write(json.dumps(as_json(rows, settings), allow_nan=False) + "\n")
        else:
            console = Console(highlight=False, markup=False)
            console.width = max(console.width, _MIN_WIDTH.get(self.metric, _USUAL_MIN_WIDTH))
            console.print(as_tables(rows, settings))
        return 0


def as_json(rows: Sequence[ComparisonRow], settings: ComparisonSettings) -> dict[str, Any]:
    """Return all figures; the first row is what others are compared with."""
    return {
        "metric": settings.metric,
        "shown_from": settings.shown_from,
        "resamples": settings.resamples,
        "videos": len(rows[0].by_video),
        "methods": [row.to_dict(rows[0]) for row in rows],
    }


def as_tables(rows: Sequence[ComparisonRow], settings: ComparisonSettings) -> Group:
    """Return two tables for `rich`: the figures, and the differences to the first row."""
    names = rows[0].names
    figures = new_table(("method", *(_TITLES[name] for name in names), "ms"))
    for row in rows:
        values = (_shown(name, row.value(name)) for name in names)
        figures.add_row(_called(row), *values, number_text(row.milliseconds, 2))
    against = new_table(("method", *(_TITLES[name] for name in names)))
    for row in rows[1:]:
        cells = []
        for name in names:
            delta, low, high = (_shown(name, value) for value in difference(row, rows[0], name))
            cells.append(f"{delta} [{low}, {high}]")
        against.add_row(_called(row), *cells)
    is_of_tracks = settings.metric == "tracking"
    note = (
        f"{'HOTA to MOTA' if is_of_tracks else 'AP, mAP'} and found in %. changes: births and deaths per 100 "
        "frames of track; deviation: of the score\n"
        "along a track; found: frames of tracks in which the object was; FP: false positives a frame; all of\n"
        f"detections from {settings.shown_from:g}. ms: of one processor a frame, after the network.\n"
        f"{'IDSW: identity switches. ' if is_of_tracks else ''}*: offline, needs the whole video."
    )
    videos = len(rows[0].by_video)
    first = rows[0].method
    called = "the network alone" if first.name == "network" else first.title
    title = f"Difference to {called}, 95 % interval over {videos} videos"
    return Group(titled("Temporal methods on the same outputs", figures, note), "", titled(title, against))


def _called(row: ComparisonRow) -> str:
    return row.method.title if row.method.online else f"{row.method.title} *"


def _shown(name: str, value: float) -> str:
    if name in _SHARES:
        return number_text(100 * value, 1)
    return number_text(value, {"deviation": 3, "IDSW": 0}.get(name, 2))

"""Which temporal method helps, on the same network outputs: ours, Seq-Bbox Matching, Seq-NMS, ByteTrack, norfair.

    heatprop evaluate --dataset coco-video --root clips --method network -o alone --cache outputs
    python benchmarks/temporal.py real --root clips --cache outputs

    heatprop synthesize synthetic --split val test --videos 90 --frames 60      and evaluate --cache each split
    python benchmarks/temporal.py synthetic --root synthetic --tune-cache val --cache test

Every method with settings comes twice: as recommended (HP: as the paper has it, and adaptive), and tuned over a
small grid that `peers/families.py` lists. On real clips a setting is chosen for each clip by the mean of AP50 and
AP75 over the other clips; figures are means over clips, each counted once. On the synthetic benchmark settings are
chosen by the official mAP on the split `val`; figures are of the split `test`, mAP also of frames in which each
cause of difficulty is at work. Seq-NMS follows on each online method, with the settings chosen without it.

Differences are to the network alone, with 95 % intervals by bootstrap over clips or videos. For the packages of
others see `peers/__init__.py`; those that are not installed are skipped. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers.families import Family, families

from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.evaluation.metrics.flicker import SHOWN_FROM
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cache_manifest import require_dataset
from heatprop.lab.evaluation.runs.comparison import ComparisonRow, ComparisonSettings, compare, difference
from heatprop.lab.evaluation.runs.temporal import TemporalMethod, head_methods
from heatprop.lab.synthesis.causes import read_causes

_SHARES = ("AP50", "AP75", "mAP", "found")


@dataclass(frozen=True)
class Chosen:
    """A method as it is reported: its figures, and where they were tuned, with which settings."""

    row: ComparisonRow
    settings: tuple[str, ...] = ()


class Measurement:
    """Runs methods on one cache, each once."""

    def __init__(
        self, dataset: VideoDataset, cache: OutputCache, settings: ComparisonSettings, jobs: int,
        subsets: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> None:  # fmt: skip
        self.dataset, self._cache, self._settings, self._jobs = dataset, cache, settings, jobs
        self._subsets = subsets
        self._known: dict[TemporalMethod, ComparisonRow] = {}

    def rows(self, methods: Sequence[TemporalMethod]) -> list[ComparisonRow]:
        """Return the row of each method."""
        new = [each for each in dict.fromkeys(methods) if each not in self._known]
        if new:
            found = compare(self.dataset, self._cache, new, self._settings, subsets=self._subsets, jobs=self._jobs)
            for number, (method, row) in enumerate(zip(new, found, strict=True), start=1):
                self._known[method] = row
                print(f"\r{number} of {len(new)} settings", end="", file=sys.stderr)
            print(file=sys.stderr)
        return [self._known[method] for method in methods]


def over_clips(row: ComparisonRow, settings: ComparisonSettings) -> ComparisonRow:
    """Return a row whose figures are means over the videos, each counted once, as far as they have them."""
    known = ~np.isnan(row.by_video)
    values = np.where(known, row.by_video, 0.0)

    def mean(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        clips = counts @ known
        result: NDArray[np.float64] = np.divide(
            counts @ values, clips, out=np.full(clips.shape, np.nan), where=clips > 0
        )
        return result

    count = len(row.by_video)
    return replace(row, values=mean(np.ones(count, np.int64)), resampled=mean(settings.draws(count)))


def leave_one_out(rows: Sequence[ComparisonRow], names: Sequence[str]) -> list[int]:
    """Return for each video which row is best on all others, by the mean of some figures; the first of equals."""
    places = [rows[0].names.index(name) for name in names]
    worth = np.array([row.by_video[:, places].mean(axis=1) for row in rows])  # (rows, videos)
    return [int(np.argmax(np.delete(worth, video, axis=1).mean(axis=1))) for video in range(worth.shape[1])]


def mixed(rows: Sequence[ComparisonRow], choice: Sequence[int]) -> ComparisonRow:
    """Return the row that has each video as the row chosen for it has it."""
    by_video = np.array([rows[number].by_video[video] for video, number in enumerate(choice)])
    milliseconds = float(np.mean([rows[number].milliseconds for number in choice]))
    return replace(rows[choice[0]], by_video=by_video, milliseconds=milliseconds)


def measure_real(measurement: Measurement, settings: ComparisonSettings, tried: Sequence[Family]) -> list[Chosen]:
    """Return the methods on real clips, tuned by leaving each clip out."""
    heads = head_methods()
    plain = measurement.rows([*heads, *(head.with_seq_nms() for head in heads)])
    result = [Chosen(row) for row in plain]
    for family in tried:
        rows = measurement.rows(family.candidates)
        choice = leave_one_out(rows, ("AP50", "AP75"))
        words = tuple(family.settings[number] for number in choice)
        result += [Chosen(row) for row in _recommended(family, rows)]
        result.append(Chosen(titled(mixed(rows, choice), f"{family.title}, tuned"), words))
        if family.candidates[0].online:
            after = {number: family.candidates[number].with_seq_nms() for number in set(choice)}
            known = dict(zip(after, measurement.rows(list(after.values())), strict=True))
            row = mixed([known[number] for number in choice], range(len(choice)))
            result.append(Chosen(titled(row, f"{family.title}, tuned + Seq-NMS"), words))
    return [replace(each, row=over_clips(each.row, settings)) for each in result]


def measure_synthetic(measurement: Measurement, tuning: Measurement, tried: Sequence[Family]) -> list[Chosen]:
    """Return the methods on the synthetic benchmark, tuned on another split."""
    heads = head_methods()
    plain = measurement.rows([*heads, *(head.with_seq_nms() for head in heads)])
    result = [Chosen(row) for row in plain]
    for family in tried:
        worth = [row.value("mAP") for row in tuning.rows(family.candidates)]
        best = int(np.argmax(worth))
        chosen, words = family.candidates[best], (family.settings[best],)
        (first, tuned) = measurement.rows([family.candidates[0], chosen])
        result += [Chosen(row) for row in _recommended(family, [first])]
        result.append(Chosen(titled(tuned, f"{family.title}, tuned"), words))
        if chosen.online:
            (row,) = measurement.rows([chosen.with_seq_nms()])
            result.append(Chosen(titled(row, f"{family.title}, tuned + Seq-NMS"), words))
    return result


def _recommended(family: Family, rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    return [] if family.title.startswith("HP") else [rows[0]]  # these are among the plain ones


def titled(row: ComparisonRow, title: str) -> ComparisonRow:
    """Return a row under another title."""
    return replace(row, method=replace(row.method, title=title))


def table(chosen: Sequence[Chosen], names: Sequence[str], *, milliseconds: bool) -> str:
    """Return a Markdown table of figures, each with its difference to the first row and the interval of that."""
    columns = ["", *names, *(["ms"] if milliseconds else [])]
    lines = [f"| {' | '.join(columns)} |", "| --- |" + " --- |" * (len(columns) - 1)]
    for each in sorted(chosen, key=lambda item: not item.row.method.online):
        row = each.row
        cells = [row.method.title + ("" if row.method.online else " *")]
        for name in names:
            scale, digits = (100, 1) if name.split()[0] in _SHARES else (1, 3 if name == "deviation" else 2)
            delta, low, high = (scale * value for value in difference(row, chosen[0].row, name))
            cell = f"{scale * row.value(name):.{digits}f}"
            if row is not chosen[0].row:
                cell += f" ({delta:+.{digits}f}; {low:+.{digits}f} to {high:+.{digits}f})"
            cells.append(cell)
        lines.append(f"| {' | '.join(cells + ([f'{row.milliseconds:.2f}'] if milliseconds else []))} |")
    return "\n".join(lines)


def by_clip(chosen: Sequence[Chosen], dataset: VideoDataset) -> str:
    """Return a Markdown table of AP50 / AP75 of each clip."""
    lines = [f"| | {' | '.join(video.name for video in dataset.videos)} |"]
    lines.append("| --- |" + " --- |" * len(dataset.videos))
    for each in chosen:
        places = [each.row.names.index(name) for name in ("AP50", "AP75")]
        pairs = 100 * each.row.by_video[:, places]
        lines.append(f"| {each.row.method.title} | {' | '.join(f'{a:.1f} / {b:.1f}' for a, b in pairs)} |")
    return "\n".join(lines)


def first_videos(dataset: VideoDataset, count: int | None) -> VideoDataset:
    """Return a dataset of the first videos of one; None for all."""
    videos = dataset.videos[:count]
    frames = videos[-1].rows.stop
    return replace(
        dataset,
        videos=videos,
        frame_names=dataset.frame_names[:frames],
        frame_ids=dataset.frame_ids[:frames],
        image_sizes=dataset.image_sizes[:frames],
        truth=dataset.truth.select(dataset.truth.frames < frames),
    )


def open_cache(folder: Path, dataset: VideoDataset, split: str) -> OutputCache:
    """Return a cache that is whole, and of this dataset."""
    cache = OutputCache(folder)
    require_dataset(folder, cache.manifest, dataset, split)
    cache.require_whole(dataset.videos)
    return cache


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("real", "synthetic"))
    parser.add_argument("--root", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--cache", type=Path, required=True, help="what evaluate --cache has kept of it")
    parser.add_argument("--split", default="test", help="of the synthetic dataset, to report")
    parser.add_argument("--tune-cache", type=Path, help="cache of the synthetic split to tune on")
    parser.add_argument("--tune-split", default="val")
    parser.add_argument("--tune-videos", type=int, help="tune on the first so many videos; default: all")
    parser.add_argument("--videos", type=int, help="report on the first so many videos; default: all")
    parser.add_argument(
        "--only", action="append", help="of the methods with settings only those whose name has this"
    )
    parser.add_argument("--shown-from", type=float, default=SHOWN_FROM)
    parser.add_argument("--resamples", type=int, default=ComparisonSettings.resamples)
    parser.add_argument("--jobs", type=int, default=1, help="processes; times are best measured with 1")
    arguments = parser.parse_args()
    if arguments.data == "synthetic" and arguments.tune_cache is None:
        parser.error("synthetic needs --tune-cache")
    parts: list[str] = arguments.only or [""]
    tried = [family for family in families() if any(part in family.title for part in parts)]
    settings = ComparisonSettings(
        metric="coco" if arguments.data == "real" else "official",
        shown_from=arguments.shown_from,
        resamples=arguments.resamples,
    )
    layout, split = ("coco-video", "val") if arguments.data == "real" else ("imagenet-vid", arguments.split)
    dataset = load_dataset(layout, arguments.root, split)
    cache = open_cache(arguments.cache, dataset, split)
    whole, dataset = dataset, first_videos(dataset, arguments.videos)
    causes: dict[str, NDArray[np.bool_]] = {}
    if arguments.data == "real":
        measurement = Measurement(dataset, cache, settings, arguments.jobs)
        chosen = measure_real(measurement, settings, tried)
    else:
        everywhere = {name: at[: dataset.frame_count] for name, at in read_causes(whole, split).items()}
        causes = {name: at for name, at in everywhere.items() if at.any()}
        measurement = Measurement(dataset, cache, settings, arguments.jobs, causes)
        other = load_dataset(layout, arguments.root, arguments.tune_split)
        tune_cache = open_cache(arguments.tune_cache, other, arguments.tune_split)
        part = first_videos(other, arguments.tune_videos)
        tuning = Measurement(part, tune_cache, replace(settings, resamples=1), arguments.jobs)
        chosen = measure_synthetic(measurement, tuning, tried)

    print(f"{dataset.frame_count} frames of {len(dataset.videos)} videos, {cache.manifest.model}, ", end="")
    print(f"{cache.manifest.backend}; in brackets the difference to the network alone and its 95 % interval\n")
    names = [name for name in chosen[0].row.names if " " not in name]
    print(table(chosen, names, milliseconds=True), "\n")
    if arguments.data == "real":
        print(by_clip(chosen, dataset), "\n")
    else:
        print(table(chosen, [f"mAP {name}" for name in causes], milliseconds=False), "\n")
    for each in chosen:
        if each.settings:
            print(f"{each.row.method.title}: {'; '.join(dict.fromkeys(each.settings))}")
    print()
    methods = [each.row.to_dict(chosen[0].row) | {"settings": list(each.settings)} for each in chosen]
    print(json.dumps({"data": arguments.data, "model": cache.manifest.model, "methods": methods}))


if __name__ == "__main__":
    main()

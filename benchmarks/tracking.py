"""Who keeps identities best on the same network outputs: propagation, or the trackers of the field.

    heatprop evaluate --dataset coco-video --root clips --method network -o alone --cache outputs
    python benchmarks/tracking.py real --root clips --cache outputs --images
    python benchmarks/tracking.py real --root clips --cache outputs --root more --cache outputs-of-more --images

    heatprop synthesize synthetic --split val test --videos 40 --frames 60      and evaluate --cache each split
    python benchmarks/tracking.py synthetic --root synthetic --tune-cache val --cache test

HP is propagation on what the network gives, with the ids of its `Detections`. Trackers get the detections of the
network alone, from 0.05 on, each class for itself. Every method comes as recommended and tuned, over the grids of
`identities/families.py`. Of HP only that is tuned which says what is shown: from which score, down to which, and
after how many frames. As recommended it is what `heatprop detect` shows, from 0.3. Trackers have the defaults of
their packages, and are told the frame rate.

On real clips a setting is chosen for each clip by the mean of HOTA and IDF1 over all other clips; figures are
means over clips, each counted once. On the synthetic benchmark settings are chosen by the mean of HOTA and IDF1 on
the split `val`; figures are of all videos of the split `test` together, and of the videos in which a cause of
difficulty is at work. Counts are sums: of identity switches, and of ids shown in at least 5 frames of a video.

Intervals are of 95 % by bootstrap over clips or videos. A star: offline. BoT-SORT makes up for the camera's motion
with `--images`, which is slow. For the packages of others see `peers/__init__.py`; those that are not installed
are skipped. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from identities.families import ADAPTIVE, Family, families
from identities.measuring import FIGURES, Clip, Score, clips_of, figures, joined, measure_all, true_ids
from identities.tables import cause_table, clip_table, difference_table, figure_table, recall_table
from numpy.typing import NDArray
from temporal import Chosen, first_videos, leave_one_out, mixed, open_cache, over_clips, titled

from heatprop.lab.datasets import VideoDataset, load_dataset
from heatprop.lab.evaluation.runs.comparison import ComparisonRow, ComparisonSettings
from heatprop.lab.evaluation.runs.temporal import TemporalMethod
from heatprop.lab.synthesis.causes import read_causes

AIM = ("HOTA", "IDF1")
"""Settings are chosen by the mean of these."""
CAUSES = ("crowd", "occlusion", "leaving", "fast", "cuts")


def row_of(family: Family, scores: Sequence[Score]) -> ComparisonRow:
    """Return what a setting is worth on each video; together it is worth nothing yet."""
    return ComparisonRow(
        method=TemporalMethod(title=family.title, online=family.online),
        names=FIGURES,
        values=np.full(len(FIGURES), np.nan),
        resampled=np.full((1, len(FIGURES)), np.nan),
        by_video=np.array([each.figures() for each in scores]),
        milliseconds=float(np.mean([each.milliseconds for each in scores])),
    )


def of_clips(row: ComparisonRow, places: Sequence[int], settings: ComparisonSettings) -> ComparisonRow:
    """Return a row of some clips, with means over them."""
    return over_clips(replace(row, by_video=row.by_video[list(places)]), settings)


def nearest_recall(rows: Sequence[ComparisonRow], to: ComparisonRow) -> ComparisonRow:
    """Return the row that has each clip as the one of the rows whose recall on it is nearest; first of equals."""
    place = FIGURES.index("recall")
    recalls = np.array([row.by_video[:, place] for row in rows])
    return mixed(rows, np.abs(recalls - to.by_video[:, place]).argmin(axis=0).tolist())


def report_real(
    clips: Sequence[Clip], tried: Sequence[Family], settings: ComparisonSettings, jobs: int
) -> list[Chosen]:
    """Measure on real clips, and print."""
    chosen: list[Chosen] = []
    ours: list[ComparisonRow] = []
    for family in tried:
        print(f"{family.title}: {len(family.candidates)} settings", file=sys.stderr)
        scores = measure_all(clips, family, range(len(family.candidates)), jobs)
        rows = [row_of(family, each) for each in scores.values()]
        choice = leave_one_out(rows, AIM)
        words = tuple(family.candidates[number].words for number in choice)
        chosen.append(Chosen(rows[0]))
        chosen.append(Chosen(titled(mixed(rows, choice), f"{family.title}, tuned"), words))
        if family.title == ADAPTIVE:
            ours = rows
    objects = [true_ids(clip.dataset) for clip in clips]
    several = [number for number, count in enumerate(objects) if count > 1]
    groups = {"Clips with several objects": several, "All clips": list(range(len(clips)))}
    for title, places in groups.items():
        if len(places) < 2:
            continue
        rows = [of_clips(each.row, places, settings) for each in chosen]
        print(f"\n{title}: {len(places)}\n")
        print(figure_table(rows, sum(objects[place] for place in places)), "\n")
        tuned = {row.method.title: row for row, each in zip(rows, chosen, strict=True) if each.settings}
        mine = tuned.pop(f"{ADAPTIVE}, tuned", None)
        if mine is not None:
            print(f"{ADAPTIVE}, tuned, above others\n\n{difference_table(mine, list(tuned.values()))}\n")
            here = [of_clips(row, places, settings) for row in ours]
            near = [over_clips(nearest_recall(here, row), settings) for row in tuned.values()]
            print("Switches at the nearest recall, clip by clip\n")
            print(recall_table(ADAPTIVE, list(zip(tuned.values(), near, strict=True))))
    rows = [each.row for each in chosen]
    names = [clip.name for clip in clips]
    print("\nHOTA / IDF1 / IDSW\n")
    print(clip_table(rows, names, ("HOTA", "IDF1", "IDSW")))
    print("\nObjects counted: ids shown in at least 5 frames\n")
    counts = [f"{name} ({count})" for name, count in zip(names, objects, strict=True)]
    print(clip_table(rows, counts, ("ids",)), "\n")
    return [replace(each, row=over_clips(each.row, settings)) for each in chosen]


def together(family: Family, scores: Sequence[Score], settings: ComparisonSettings | None) -> ComparisonRow:
    """Return what a setting is worth on all videos together, drawn anew as the settings say; None for not."""
    whole, row = joined(scores), row_of(family, scores)
    draws = [] if settings is None else settings.draws(len(scores))
    resampled = [figures(whole.result, np.nan, counts) for counts in draws]
    return replace(row, values=whole.figures(), resampled=np.array(resampled or row.resampled))


def report_synthetic(
    clips: Sequence[Clip],
    tuning: Sequence[Clip],
    at_work: dict[str, NDArray[np.bool_]],
    tried: Sequence[Family],
    *,
    settings: ComparisonSettings,
    jobs: int,
) -> list[Chosen]:
    """Measure on the synthetic benchmark, and print; `at_work` says of each cause in which videos it is."""
    chosen: list[Chosen] = []
    ours: list[ComparisonRow] = []
    wholes: list[Score] = []
    for family in tried:
        print(f"{family.title}: {len(family.candidates)} settings", file=sys.stderr)
        everything = range(len(family.candidates))
        worth = [
            np.mean([together(family, each, None).value(name) for name in AIM])
            for each in measure_all(tuning, family, everything, jobs).values()
        ]
        best = int(np.argmax(worth))
        wanted = everything if family.title == ADAPTIVE else sorted({0, best})
        scores = measure_all(clips, family, wanted, jobs)
        if family.title == ADAPTIVE:
            ours = [together(family, each, None) for each in scores.values()]
        tuned = titled(together(family, scores[best], settings), f"{family.title}, tuned")
        chosen.append(Chosen(together(family, scores[0], settings)))
        chosen.append(Chosen(tuned, (family.candidates[best].words,)))
        wholes += [joined(scores[0]), joined(scores[best])]
    rows = [each.row for each in chosen]
    print(f"\n{figure_table(rows, sum(true_ids(clip.dataset) for clip in clips))}\n")
    tuned_rows = {each.row.method.title: each.row for each in chosen if each.settings}
    mine = tuned_rows.pop(f"{ADAPTIVE}, tuned", None)
    if mine is not None:
        print(f"{ADAPTIVE}, tuned, above others\n\n{difference_table(mine, list(tuned_rows.values()))}\n")
        print("Switches at the nearest recall\n")
        recalls = [row.value("recall") for row in tuned_rows.values()]
        near = [min(ours, key=lambda each: abs(each.value("recall") - recall)) for recall in recalls]
        print(recall_table(ADAPTIVE, list(zip(tuned_rows.values(), near, strict=True))), "\n")
    of_causes = {
        f"{name} ({where.sum()})": [figures(each.result, np.nan, where.astype(np.int64)) for each in wholes]
        for name, where in at_work.items()
        if where.any()
    }
    print("HOTA / IDF1 / IDSW of the videos in which a cause is at work (how many)\n")
    print(cause_table(of_causes, rows), "\n")
    return chosen


def videos_of_causes(dataset: VideoDataset, whole: VideoDataset, split: str) -> dict[str, NDArray[np.bool_]]:
    """Return in which of the videos each cause is at work, bool ``(videos,)``; "none" is where no one is."""
    causes = read_causes(whole, split)
    found = {
        name: np.array([causes[name][list(video.rows)].any() for video in dataset.videos], np.bool_)
        for name in CAUSES
    }
    return found | {"none of these": ~np.logical_or.reduce(list(found.values()))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("real", "synthetic"))
    parser.add_argument("--root", type=Path, action="append", required=True, help="dataset; real: may be repeated")
    parser.add_argument("--cache", type=Path, action="append", required=True, help="outputs of each, of evaluate")
    parser.add_argument("--split", default="test", help="of the synthetic dataset, to report")
    parser.add_argument("--tune-cache", type=Path, help="cache of the synthetic split to tune on")
    parser.add_argument("--tune-split", default="val")
    parser.add_argument("--tune-videos", type=int, help="tune on the first so many videos; default: all")
    parser.add_argument(
        "--videos", type=int, help="report on the first so many videos of each dataset; default: all"
    )
    parser.add_argument("--only", action="append", help="only the methods whose name has this; may be repeated")
    parser.add_argument("--images", action="store_true", help="give them to methods that look at them; slow")
    parser.add_argument("--resamples", type=int, default=ComparisonSettings.resamples)
    parser.add_argument("--jobs", type=int, default=1, help="processes; times are best measured with 1")
    arguments = parser.parse_args()
    is_real = arguments.data == "real"
    if len(arguments.root) != len(arguments.cache) or (not is_real and len(arguments.root) > 1):
        parser.error("give one --cache for each --root; synthetic takes one")
    if not is_real and arguments.tune_cache is None:
        parser.error("synthetic needs --tune-cache")
    parts: list[str] = arguments.only or [""]
    tried = [family for family in families(arguments.images) if any(part in family.title for part in parts)]
    if not tried:
        parser.error(f"no method is called {' or '.join(parts)}; there are {', '.join(map(_title, families()))}")
    settings = ComparisonSettings(metric="tracking", resamples=arguments.resamples)
    heads = list(dict.fromkeys(family.head for family in tried))
    layout, split = ("coco-video", "val") if is_real else ("imagenet-vid", arguments.split)

    def clips_in(root: Path, folder: Path, split: str, videos: int | None) -> list[Clip]:
        dataset = load_dataset(layout, root, split)
        cache = open_cache(folder, dataset, split)
        part = first_videos(dataset, videos)
        return list(clips_of(part, cache, heads, images=arguments.images))

    clips = [
        clip
        for root, folder in zip(arguments.root, arguments.cache, strict=True)
        for clip in clips_in(root, folder, split, arguments.videos)
    ]
    if is_real:
        chosen = report_real(clips, tried, settings, arguments.jobs)
    else:
        (root,) = arguments.root
        whole = load_dataset(layout, root, split)
        at_work = videos_of_causes(first_videos(whole, arguments.videos), whole, split)
        tuning = clips_in(root, arguments.tune_cache, arguments.tune_split, arguments.tune_videos)
        chosen = report_synthetic(clips, tuning, at_work, tried, settings=settings, jobs=arguments.jobs)
    for each in chosen:
        if each.settings:
            print(f"{each.row.method.title}: {'; '.join(dict.fromkeys(each.settings))}")
    print()
    first = chosen[0].row
    methods = [each.row.to_dict(first) | {"settings": list(each.settings)} for each in chosen]
    print(json.dumps({"data": arguments.data, "videos": [clip.name for clip in clips], "methods": methods}))


def _title(family: Family) -> str:
    return family.title


if __name__ == "__main__":
    main()

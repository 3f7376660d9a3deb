"""Sequences in MOTChallenge's folders, and what TrackEval's own evaluator says of them."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = Sequence[float]
FIGURES = ("HOTA", "DetA", "AssA", "LocA", "IDF1", "IDP", "IDR", "MOTA", "IDSW")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(repr, row)) + "\n" for row in rows))


def write_sequence(root: Path, name: str, truth: Iterable[Row], length: int, size: tuple[int, int]) -> Path:
    """Write ``root/name/{seqinfo.ini,gt/gt.txt}`` and return its folder."""
    folder = root / name
    write_rows(folder / "gt" / "gt.txt", truth)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={name}\nimDir=img1\nframeRate=25\nseqLength={length}\n"
        f"imWidth={size[0]}\nimHeight={size[1]}\nimExt=.jpg\n"
    )
    return folder


def write_people(clip: Path, target: Path) -> Path:
    """Write the people of a folder by `write_coco_video` with one clip as a sequence, with its images."""
    content = json.loads((clip / "annotations.json").read_text())
    rows = [
        (each["image_id"], 1, *map(float, each["bbox"]), 1, 1, 1.0)
        for each in content["annotations"]
        if each["category_id"] == 1
    ]
    images = content["images"]
    write_sequence(target.parent, target.name, rows, len(images), (images[0]["width"], images[0]["height"]))
    info = target / "seqinfo.ini"
    info.write_text(info.read_text().replace(".jpg", ".png"))
    (target / "img1").mkdir()
    for number, image in enumerate(images, start=1):
        shutil.copy(clip / image["file_name"], target / "img1" / f"{number:06d}.png")
    return target


def official_figures(
    root: Path, trackers: Path, sequences: Sequence[str], benchmark: str
) -> dict[str, Mapping[str, float]]:
    """Return the figures of each sequence, and of "COMBINED_SEQ", by TrackEval's evaluator.

    Tracks of a sequence are ``trackers/mine/data/NAME.txt``.
    """
    import trackeval

    quiet = {"PRINT_CONFIG": False}
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = trackeval.Evaluator(
            {
                **quiet,
                "PRINT_RESULTS": False,
                "TIME_PROGRESS": False,
                "OUTPUT_SUMMARY": False,
                "OUTPUT_DETAILED": False,
                "PLOT_CURVES": False,
                "LOG_ON_ERROR": None,
            }
        )
        dataset = trackeval.datasets.MotChallenge2DBox(
            {
                **quiet,
                "GT_FOLDER": str(root),
                "TRACKERS_FOLDER": str(trackers),
                "TRACKERS_TO_EVAL": ["mine"],
                "BENCHMARK": benchmark,
                "SKIP_SPLIT_FOL": True,
                "SEQ_INFO": dict.fromkeys(sequences),
            }
        )
        metrics = [
            trackeval.metrics.HOTA(),
            trackeval.metrics.CLEAR(dict(quiet)),
            trackeval.metrics.Identity(dict(quiet)),
        ]
        results, _ = evaluator.evaluate([dataset], metrics)
    of_tracker: dict[str, Any] = results["MotChallenge2DBox"]["mine"]
    return {name: _flat(each["pedestrian"]) for name, each in of_tracker.items()}


def _flat(results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    fields = {name: value for each in results.values() for name, value in each.items()}
    return {name: float(np.mean(fields[name])) for name in FIGURES}

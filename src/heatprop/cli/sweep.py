"""`heatprop sweep`: a grid of settings on cached network outputs, in one table."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console, RenderableType

from heatprop.backends.base import usable_processors
from heatprop.cli.messages import say
from heatprop.cli.progress import FrameProgress
from heatprop.errors import check_count
from heatprop.interrupts import Interrupted
from heatprop.io.outputs import OutputFile
from heatprop.lab.datasets import Layout, load_dataset
from heatprop.lab.evaluation.runs.cache import OutputCache
from heatprop.lab.evaluation.runs.cache_manifest import require_dataset
from heatprop.lab.evaluation.runs.methods import Method
from heatprop.lab.evaluation.runs.number_lists import parse_numbers, parse_whole_numbers
from heatprop.lab.evaluation.runs.sweep import SweepRow, grid, sweep
from heatprop.lab.evaluation.tables import new_table, percent_text, titled
from heatprop.offline.seqnms import SeqNmsConfig
from heatprop.propagation import PropagationConfig

_FIGURES = ("AP50", "AP75", "mAP")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Score many settings of propagation on network outputs that evaluate --cache has kept.
    $ heatprop sweep --cache outputs --dataset coco-video --root clips --radius 0:3
    $ heatprop sweep --cache outputs --dataset coco-video --root clips --alpha 0.5,0.6,...,1 --beta 0.5,2,inf

    A list is 0:5 (whole numbers, both ends), 0.5,2,inf, or 0.5,0.6,...,1.
    """

    cache: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder that evaluate --cache has filled to the end."""
    dataset: Layout
    """How the dataset's files are laid out."""
    root: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the dataset, of coco-video also its JSON file; images are not needed."""
    split: str = "val"
    """Of ImageNet VID or MOTChallenge."""
    radius: Annotated[str, tyro.conf.arg(metavar="LIST")] = str(PropagationConfig.radius)
    """How far an object may move in a frame, in cells of the output grid."""
    alpha: Annotated[str, tyro.conf.arg(metavar="LIST")] = str(PropagationConfig.alpha)
    """Share of the past in the balance, 0 to 1."""
    beta: Annotated[str, tyro.conf.arg(metavar="LIST")] = str(PropagationConfig.beta)
    """How strongly the length of a track counts; may be inf."""
    score_threshold: Annotated[str, tyro.conf.arg(aliases=["--threshold"], metavar="LIST")] = str(
        Method.score_threshold
    )
    """Keep detections of at least this score, 0 to 1."""
    seq_nms: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Rescore whole videos with Seq-NMS afterwards."""
    jobs: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Parallel processes; default: one for each processor."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print JSON instead of a table."""
    csv: Annotated[Path | None, tyro.conf.arg(metavar="OUT.csv", help_behavior_hint="")] = None
    """Write the table to this file, too, replacing it."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad, or the cache is not that of the dataset, damaged or not whole.
        """
        methods = grid(
            parse_whole_numbers(self.radius, "--radius"),
            parse_numbers(self.alpha, "--alpha"),
            parse_numbers(self.beta, "--beta"),
            parse_numbers(self.score_threshold, "--score-threshold"),
            seq_nms=SeqNmsConfig() if self.seq_nms else None,
        )
        jobs = usable_processors() if self.jobs is None else self.jobs
        check_count("--jobs", jobs, 1)
        cache = OutputCache(self.cache)
        dataset = load_dataset(self.dataset, self.root, self.split)
        require_dataset(self.cache, cache.manifest, dataset, self.split)
        cache.require_whole(dataset.videos)
        total = dataset.frame_count * len(methods)
        try:
            with (
                nullcontext() if self.csv is None else OutputFile(self.csv, overwrite=True) as table,
                FrameProgress(f"{len(methods)} settings", total, quiet=self.quiet) as progress,
            ):
                rows = list(sweep(dataset, cache, methods, jobs=jobs, advance=progress.advance))
                if table is not None:
                    table.partial.write_text(as_csv(rows), encoding="utf-8", newline="")
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; nothing is written")
            return interrupted.exit_code
        if self.json:
            sys.stdout.write(json.dumps(as_json(rows), allow_nan=False) + "\n")
        else:
            Console(highlight=False, markup=False).print(as_table(rows))
        return 0


def best_rows(rows: Sequence[SweepRow]) -> dict[str, int]:
    """Return the row of the highest value of each figure, the first of equal ones."""
    figures = [row.to_dict() for row in rows]
    best = {}
    for name in _FIGURES:
        known = [place for place, row in enumerate(figures) if row[name] is not None]
        if known:
            best[name] = max(known, key=lambda place: (figures[place][name], -place))
    return best


def as_json(rows: Sequence[SweepRow]) -> dict[str, object]:
    """Return all rows, and which is best by each figure."""
    return {"settings": [_flat(row) for row in rows], "best": best_rows(rows)}


def as_csv(rows: Sequence[SweepRow]) -> str:
    """Return all rows as CSV with a header; empty where a setting does not apply."""
    flat = [_flat(row) for row in rows]
    columns = ["method", "radius", "alpha", "beta", "score_threshold", "seq_nms", *_FIGURES, "detections"]
    text = io.StringIO()
    # What a sweep does not vary stands in its JSON.
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def as_table(rows: Sequence[SweepRow]) -> RenderableType:
    """Return a table for `rich`; the best of each figure is bold and has a star."""
    best = best_rows(rows)
    table = new_table(("method", "P", "alpha", "beta", "threshold", "AP50 COCO", "AP75 COCO", "mAP official"))
    for place, row in enumerate(rows):
        settings = row.method.to_json()
        words = [str(settings.get(key, "")) for key in ("radius", "alpha", "beta", "score_threshold")]
        figures = []
        for name, value in zip(_FIGURES, (row.ap50, row.ap75, row.official), strict=True):
            figures.append(percent_text(value) + ("*" if best.get(name) == place else " "))
        table.add_row(row.method.name, *words, *figures, style="bold" if place in best.values() else None)
    return titled("All with Seq-NMS afterwards", table) if rows[0].method.seq_nms else table


def _flat(row: SweepRow) -> dict[str, object]:
    return row.to_dict() | {"seq_nms": row.method.seq_nms is not None}

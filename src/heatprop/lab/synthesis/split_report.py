"""What a synthetic dataset turned out to be: how much moves how fast, and which causes strike how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Group

from heatprop.lab.datasets.imagenet_vid import load_imagenet_vid
from heatprop.lab.evaluation.metrics.object_motion import GRID_LONGEST_SIDE, displacement, uncovered_pairs
from heatprop.lab.evaluation.tables import new_table, number_text, percent_text, titled
from heatprop.lab.synthesis.causes import ALL_CAUSES, read_causes

RADII = (0, 1, 2, 3, 4, 5)
PAPER_UNCOVERED = (0.604, 0.113, 0.037, 0.016, 0.0079, 0.0045)
"""Table 2 of the paper: share of the pairs of ImageNet VID that move farther than P cells, P from 0 to 5."""

NETWORK_SIDE = 256
"""Longer side of the input whose cells the speeds are given in."""


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Figures of a split.

    Attributes:
        split: its name.
        videos: how many.
        frames: how many.
        objects: annotated, over all frames.
        occluded: share of the objects that are occluded.
        uncovered: share of the pairs that move farther than P cells, for P in `RADII`.
        causes: share of the frames in which each cause is at work.
    """

    split: str
    videos: int
    frames: int
    objects: int
    occluded: float
    uncovered: tuple[float, ...]
    causes: dict[str, float]


def describe(root: Path, split: str) -> SplitReport:
    """Read a split of a synthetic dataset and return its figures.

    Raises:
        DatasetError: it is not there or damaged.
    """
    dataset = load_imagenet_vid(root, split)
    moved = displacement(dataset, dataset.truth) * NETWORK_SIDE / GRID_LONGEST_SIDE
    return SplitReport(
        split=split,
        videos=len(dataset.videos),
        frames=dataset.frame_count,
        objects=len(dataset.truth),
        occluded=float(np.mean(dataset.truth.occluded)) if len(dataset.truth) else float("nan"),
        uncovered=tuple(uncovered_pairs(moved, RADII)),
        causes={name: float(where.mean()) for name, where in read_causes(dataset, split).items()},
    )


def report_tables(reports: Sequence[SplitReport]) -> list[Group]:
    """Return tables for `rich`: contents, speeds beside the paper's, and causes."""
    names = [report.split for report in reports]
    contents = new_table(["", *names])
    for title, values in (
        ("videos", [f"{report.videos:,}" for report in reports]),
        ("frames", [f"{report.frames:,}" for report in reports]),
        ("objects", [f"{report.objects:,}" for report in reports]),
        ("occluded %", [percent_text(report.occluded) for report in reports]),
    ):
        contents.add_row(title, *values)
    speeds = new_table(["P, cells", *names, "ImageNet VID"])
    for place, radius in enumerate(RADII):
        shares = [percent_text(report.uncovered[place]) for report in reports]
        speeds.add_row(str(radius), *shares, percent_text(PAPER_UNCOVERED[place]))
    causes = new_table(["cause", *names])
    for name in ALL_CAUSES:
        causes.add_row(name, *(number_text(100 * report.causes[name], 1) for report in reports))
    return [
        titled("Contents", contents),
        titled(
            "Pairs that move farther than P, %",
            speeds,
            f"Cells of 4 px of an input of {NETWORK_SIDE}; ImageNet VID as the paper has it, of an input of 512.",
        ),
        titled("Frames in which a cause is at work, %", causes),
    ]

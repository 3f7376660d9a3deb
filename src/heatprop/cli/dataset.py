"""`heatprop dataset check`: what is in a dataset, what is missing, what is damaged."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

from heatprop.cli.messages import error
from heatprop.cli.progress import FrameProgress
from heatprop.interrupts import Interrupted, check
from heatprop.lab.datasets.checking import CheckedLayout, ImageCheck, check_dataset
from heatprop.lab.datasets.dataset_report import DatasetReport


@dataclass(frozen=True, slots=True)
class Dataset:
    """Check an annotated dataset before hours are spent on it.
    $ heatprop dataset check ILSVRC2015
    $ heatprop dataset check my-videos --quick
    $ heatprop dataset check ILSVRC2015 --split train --no-images --json
    $ heatprop dataset check ILSVRC2015 --layout imagenet-det --split train
    $ heatprop dataset check MOT17 --split train

    Says what is there, what is missing and what is damaged. Exit code 0: usable, 1: damage was found.
    """

    action: Annotated[tyro.conf.Positional[Literal["check"]], tyro.conf.arg(metavar="check")]
    """What to do."""
    root: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="ROOT")]
    """Folder of the dataset: ILSVRC2015, one with a CocoVID file, or that file; or one of MOTChallenge."""
    layout: CheckedLayout | Literal["auto"] = "auto"
    """How its files are laid out. imagenet-det: its images of the 30 classes of VID, for training."""
    split: Annotated[str, tyro.conf.arg(metavar="NAME")] = "val"
    """Split of ImageNet: val, train, or, of VID, the name of a list in ImageSets; or of MOTChallenge."""
    quick: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Read only headers and ends of images, instead of decoding them."""
    no_images: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Do not check images; scoring needs none."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print one JSON object instead of tables."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar."""

    def run(self) -> int:
        """Print what was found on standard output and return the exit code.

        Raises:
            DatasetError: there is no dataset.
        """
        pictures: ImageCheck = "not checked" if self.no_images else "quick" if self.quick else "decoded"
        try:
            with _Stages(quiet=self.quiet) as stages:

                def show(stage: str, done: int, total: int) -> None:
                    check()
                    stages.show(stage, done, total)

                report = check_dataset(self.root, self.layout, self.split, pictures=pictures, progress=show)
        except Interrupted as stop:
            error("stopped before the whole dataset was checked")
            return stop.exit_code
        if self.json:
            sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
        else:
            _print(report)
        return 0 if report.is_usable else 1


class _Stages:
    """One progress bar after the other, each with the frames of a stage."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._stage, self._done = "", 0
        self._bar: FrameProgress | None = None

    def show(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of the `total` frames are through the stage."""
        if stage != self._stage or self._bar is None:
            self._close()
            self._stage, self._done = stage, 0
            self._bar = FrameProgress(stage, total, quiet=self._quiet)
            self._bar.__enter__()
        self._bar.advance(done - self._done)
        self._done = done

    def __enter__(self) -> _Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def _videos(report: DatasetReport) -> str:
    return "images" if report.layout == "imagenet-det" else "videos"


def _print(report: DatasetReport) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    split = "" if report.split is None else f", split {report.split}"
    console.print(f"{report.root}: {report.layout}{split}")
    console.print(f"  frames from  {report.frames_from}")
    console.print(
        f"  there are    {report.videos:,} {_videos(report)}, {report.frames:,} frames ({report.empty_frames:,} "
        f"without objects), {report.boxes:,} boxes, {report.tracks:,} tracks"
    )
    console.print(f"  images       {report.pictures}")
    shown = [one for one in report.classes if one.boxes]
    if shown:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("class")
        for column in ("id", _videos(report), "tracks", "boxes"):
            table.add_column(column, justify="right")
        for one in shown:
            table.add_row(one.name, str(one.id), f"{one.videos:,}", f"{one.tracks:,}", f"{one.boxes:,}")
        console.print()
        console.print(table)
        absent = len(report.classes) - len(shown)
        if absent:
            console.print(f"({absent} more classes without a box)")
    for group in report.findings:
        console.print()
        console.print(f"{'DAMAGE' if group.is_damage else 'note'}: {group.kind}: {group.count:,}")
        for place, text in group.examples:
            console.print(f"  {place}: {text}")
        if group.count > len(group.examples):
            console.print(f"  ... and {group.count - len(group.examples):,} more")
    console.print()
    damage = sum(group.count for group in report.findings if group.is_damage)
    rest = "" if report.frames else "; nothing else was checked: mend this, and check again"
    console.print(f"{damage:,} damaged or missing; repair the dataset{rest}" if damage else "usable")

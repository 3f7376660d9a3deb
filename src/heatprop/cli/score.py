"""`heatprop score`: how good detections are that lie in a file."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from heatprop.cli.messages import error, say
from heatprop.errors import InvalidConfigError, check_range
from heatprop.interrupts import Interrupted, wait_for
from heatprop.lab.datasets import Layout, load_dataset
from heatprop.lab.evaluation.curve_plots import PlotFiles
from heatprop.lab.evaluation.detection_files.reading import read_detections
from heatprop.lab.evaluation.metrics.flicker import SHOWN_FROM
from heatprop.lab.evaluation.metrics.track_sequences import import_trackeval
from heatprop.lab.evaluation.results import METRICS, WIDEST_TABLE, EvaluationReport, score


@dataclass(frozen=True, slots=True)
class Score:
    """Score detections made anywhere against an annotated dataset.
    $ heatprop score detections.txt --dataset imagenet-vid --root ILSVRC2015
    $ heatprop score detections.json --dataset coco-video --root annotations.json --metric coco --json
    $ heatprop score tracks --dataset mot-challenge --root MOT17 --split train --metric tracking

    DETECTIONS is official text (frame_index class_id score x1 y1 x2 y2), JSON Lines, COCO's JSON, or, of one
    video, MOTChallenge's text or what detect --json wrote: its content says which. No images are needed.
    docs/guides/evaluation.md explains each figure.
    """

    detections: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DETECTIONS")]
    """File of detections, of all videos; or folder with a file a video."""
    dataset: Annotated[Layout, tyro.conf.arg(help_behavior_hint="")]
    """How the dataset is laid out."""
    root: Annotated[Path, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
    """Folder of the dataset; of coco-video also its JSON file."""
    split: Annotated[str, tyro.conf.arg(metavar="NAME")] = "val"
    """Split of ImageNet VID or MOTChallenge."""
    metric: Literal["all", "official", "coco", "tracking"] = "all"
    """official: ImageNet VID, with slow, medium and fast objects apart. coco: AP50:95, AP50 and AP75. all: both.
    tracking: identities, by HOTA, IDF1 and MOTA; needs trackeval."""
    shown_from: Annotated[float, tyro.conf.arg(metavar="SCORE")] = SHOWN_FROM
    """tracking: detections of at least this score count, 0 to 1."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print one JSON object instead of tables; figures are shares of 1, null where there is none."""
    plots: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Draw precision over recall into this folder, as SVG."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace plots that exist."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Say nothing but the result."""

    def run(self) -> int:
        """Print the figures on standard output and return the exit code.

        Raises:
            HeatpropError: dataset or detections are not what they should be; nothing was scored.
        """
        if self.plots is not None and self.metric in ("coco", "tracking"):
            raise InvalidConfigError(f"--plots shows the official metric; drop --metric {self.metric}")
        check_range("--shown-from", self.shown_from, 0, 1)
        if self.metric == "tracking":
            import_trackeval()
        try:
            report, drawn = self._score()
        except Interrupted as stop:
            error("stopped before all was scored")
            return stop.exit_code
        if self.json:
            sys.stdout.write(json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n")
        else:
            console = Console(highlight=False, markup=False)
            console.width = max(console.width, WIDEST_TABLE)
            console.print(report.tables())
        for path in [] if self.quiet else drawn:
            say(f"drawn: {path}")
        return 0

    def _score(self) -> tuple[EvaluationReport, list[Path]]:
        """Return the report, and the plots that were drawn."""
        with ExitStack() as stack:
            plots = None
            if self.plots is not None:
                plots = stack.enter_context(PlotFiles(self.plots, overwrite=self.overwrite))
            terminal = Console(stderr=True)
            if terminal.is_terminal and not self.quiet:
                stack.enter_context(terminal.status("reading annotations and detections, scoring"))
            metrics = METRICS if self.metric == "all" else (self.metric,)

            def scored() -> EvaluationReport:
                dataset = load_dataset(self.dataset, self.root, self.split)
                detections = read_detections(self.detections, dataset, tracks=self.metric == "tracking")
                return score(dataset, detections, metrics, shown_from=self.shown_from)

            report = wait_for(scored)
            return report, [] if plots is None else plots.write(report)

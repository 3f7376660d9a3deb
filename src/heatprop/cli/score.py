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
from heatprop.errors import InvalidConfigError
from heatprop.interrupts import Interrupted, wait_for
from heatprop.lab.datasets import Layout, load_dataset
from heatprop.lab.evaluation.curve_plots import PlotFiles
from heatprop.lab.evaluation.detection_files.reading import read_detections
from heatprop.lab.evaluation.results import METRICS, EvaluationReport, score


@dataclass(frozen=True, slots=True)
class Score:
    """Score detections made anywhere against an annotated dataset.
    $ heatprop score detections.txt --dataset imagenet-vid --root ILSVRC2015
    $ heatprop score detections.json --dataset coco-video --root annotations.json --metric coco --json

    DETECTIONS is official text (frame_index class_id score x1 y1 x2 y2), JSON Lines, or COCO's JSON: its content
    says which. No images are needed. docs/guides/evaluation.md explains each figure.
    """

    detections: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DETECTIONS")]
    """File of detections, of all videos."""
    dataset: Annotated[Layout, tyro.conf.arg(help_behavior_hint="")]
    """How the dataset is laid out."""
    root: Annotated[Path, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
    """Folder of the dataset; of coco-video also its JSON file."""
    split: Annotated[str, tyro.conf.arg(metavar="NAME")] = "val"
    """Split of ImageNet VID or MOTChallenge."""
    metric: Literal["all", "official", "coco"] = "all"
    """official: ImageNet VID, with slow, medium and fast objects apart. coco: AP50:95, AP50 and AP75."""
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
        if self.plots is not None and self.metric == "coco":
            raise InvalidConfigError("--plots shows the official metric; drop --metric coco")
        try:
            report, drawn = self._score()
        except Interrupted as stop:
            error("stopped before all was scored")
            return stop.exit_code
        if self.json:
            sys.stdout.write(json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n")
        else:
            Console(highlight=False, markup=False).print(report.tables())
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
                return score(dataset, read_detections(self.detections, dataset), metrics)

            report = wait_for(scored)
            return report, [] if plots is None else plots.write(report)

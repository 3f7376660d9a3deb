"""`heatprop synthesize`: a video benchmark of our own, in the layout of ImageNet VID."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import tyro
from rich.console import Console

from heatprop.backends.base import usable_processors
from heatprop.cli.messages import error, say
from heatprop.cli.progress import FrameProgress
from heatprop.errors import OutputError
from heatprop.interrupts import Interrupted
from heatprop.lab.synthesis.dataset import SPLITS, SynthesisSettings, claim, fill
from heatprop.lab.synthesis.settings import SceneSettings, parse_dials
from heatprop.lab.synthesis.split_report import describe, report_tables


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Make an annotated video dataset in the layout of ImageNet VID, with its 30 classes, from a seed.
    $ heatprop synthesize synthetic --videos 60 --frames 60 --seed 0
    $ heatprop synthesize synthetic --split val
    $ heatprop synthesize dark --dial darkness=0.5:0.9 crowd=0

    The same settings and seed give the same annotations everywhere, and the same images where the libraries
    are the same. Splits: train, val and test have drawings of the same two artists, test_unseen those of a third.
    A stopped run goes on where it was, and what is missing or damaged in the folder is made again.
    """

    output: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder for the dataset."""
    videos: Annotated[int, tyro.conf.arg(metavar="N")] = SynthesisSettings.videos
    """Videos in each split."""
    frames: Annotated[int, tyro.conf.arg(metavar="N")] = SynthesisSettings.frames
    """Frames of each video."""
    stills: Annotated[int, tyro.conf.arg(metavar="N")] = SynthesisSettings.stills
    """Images of the set like ImageNet DET, which belongs to the split train."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = SynthesisSettings.seed
    """Decides everything else."""
    split: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = tuple(SPLITS)
    """Splits to make: train, val, test, test_unseen."""
    width: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = SceneSettings.width
    """Of the images."""
    height: Annotated[int, tyro.conf.arg(metavar="PIXELS")] = SceneSettings.height
    """Of the images."""
    speed: Annotated[float, tyro.conf.arg(metavar="CELLS")] = SceneSettings.speed
    """Median speed of what moves, in 64ths of the longer side a frame."""
    dial: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="CAUSE=SHARE[:STRENGTH] ...", help_behavior_hint="")
    ] = ()
    """How often a cause of difficulty strikes, and how hard at most. Causes: motion_blur, defocus, noise,
    darkness, compression, occlusion, leaving, crowd, turns, scale, pan, shake, cuts, clutter."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no tables."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad, or the folder cannot be written; what is finished is kept.
        """
        scene = SceneSettings(
            width=self.width, height=self.height, speed=self.speed, causes=parse_dials(self.dial)
        )
        settings = SynthesisSettings(
            videos=self.videos,
            frames=self.frames,
            stills=self.stills,
            seed=self.seed,
            splits=self.split,
            scene=scene,
        )
        cv2.setNumThreads(1)  # each image is drawn in a thread of its own
        with claim(self.output, settings):
            return self._fill(settings)

    def _fill(self, settings: SynthesisSettings) -> int:
        try:
            with FrameProgress(self.output.name, settings.image_count, quiet=self.quiet) as progress:
                fill(self.output, settings, workers=usable_processors(), advance=progress.advance)
        except Interrupted as interrupted:
            if not self.quiet:
                say("heatprop: interrupted; what is finished is kept, run again to go on")
            return interrupted.exit_code
        except OutputError as problem:
            error(problem)
            return 1
        if importlib.util.find_spec("lxml") is None:
            say("heatprop: note: figures of what was made need lxml; pip install 'heatprop[evaluate]'")
        elif not self.quiet:
            console = Console(highlight=False, markup=False)
            for table in report_tables([describe(self.output, split) for split in settings.splits]):
                console.print(table)
        return 0

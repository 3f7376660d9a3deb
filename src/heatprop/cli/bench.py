"""`heatprop bench`: how fast this machine is, and where the time goes."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Annotated

import cv2
import tyro

from heatprop.cli.bench_report import BenchReport, Round
from heatprop.cli.counts import Counts
from heatprop.cli.detect_job import Outcome
from heatprop.cli.detect_request import Drawing, Request
from heatprop.cli.detect_run import do_jobs
from heatprop.cli.detector_options import DetectorOptions
from heatprop.cli.messages import say
from heatprop.cli.output_places import RESULTS
from heatprop.cli.summary import Summary
from heatprop.counting import LEAST_FRAMES
from heatprop.errors import InvalidConfigError, SourceError, check_count
from heatprop.interrupts import Interrupted, pending
from heatprop.io import SourceInfo, open_video
from heatprop.io.names import live_by_name, may_be_wrong, sources_of
from heatprop.lab.synthesis.clip import write_clip
from heatprop.runtime.bare_network import BareNetwork
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.machine import Machine

_SYNTHETIC = "synthetic video"
_IMAGES = 8  # for the bare network
_WARM_UP = 16  # frames


@dataclass(frozen=True, slots=True)
class Bench:
    """Measure how fast this machine detects, and where the time goes.
    $ heatprop bench
    $ heatprop bench street.mp4
    $ heatprop bench --model nanodet-coco --backend onnx --json

    Without SOURCE a synthetic video of 1280 x 720 pixels is made first. The command of heatprop detect runs in
    turns with the bare network, on frames that lie ready: their ratio says what all else costs. Let nothing else
    run meanwhile.
    """

    source: Annotated[
        tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[SOURCE]", help_behavior_hint="")
    ] = None
    """Video file, folder of images, or pattern ('shots/*.jpg')."""
    frames: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """How many frames, from its beginning; a shorter source has fewer."""
    rounds: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """How often all is measured; the median counts."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print one JSON object instead of a table."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no notes; errors are still said."""
    detector: DetectorOptions = field(default_factory=DetectorOptions)

    def run(self) -> int:
        """Print the figures on standard output and return the exit code.

        Raises:
            HeatpropError: the request is bad, or the source fails.
        """
        check_count("--frames", self.frames, 1)
        check_count("--rounds", self.rounds, 1)
        self.detector.check()
        # Frames are scaled side by side; threads within one would only take turns with those of the network.
        cv2.setNumThreads(1)
        try:
            with tempfile.TemporaryDirectory(prefix="heatprop-bench-") as folder:
                report = self._measured(Path(folder))
        except Interrupted as interrupted:
            say("heatprop: interrupted; nothing is measured")
            return interrupted.exit_code
        if self.json:
            sys.stdout.write(json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n")
        else:
            sys.stdout.write("".join(f"{line}\n" for line in report.lines()))
        return 0

    def _measured(self, folder: Path) -> BenchReport:
        source = self._source(folder)
        started = perf_counter()
        detector = self.detector.open()
        loading = perf_counter() - started
        info, bare = _bare_network(source, detector)
        bare.frames_per_second(_WARM_UP)
        self._pass(source, detector, folder, _WARM_UP)
        rounds = [
            Round(
                bare.frames_per_second(self.frames),
                self._pass(source, detector, folder, self.frames, has_video=False),
                self._pass(source, detector, folder, self.frames),
            )
            for _ in range(self.rounds)
        ]
        return BenchReport(
            _SYNTHETIC if self.source is None else Path(source).name,
            (info.width, info.height),
            detector.card.name,
            bare.input_size,
            detector.backend.description,
            detector.backend.concurrency,
            loading,
            Machine.here(),
            rounds,
        )

    def _source(self, folder: Path) -> str:
        """Return what is detected in; a synthetic video is made where nothing is named."""
        if self.source is None:
            if not self.quiet:
                say(f"heatprop: making a synthetic video of {self.frames:,} frames")
            path = folder / "synthetic.mp4"
            write_clip(path, self.frames)
            return str(path)
        sources = sources_of([self.source])
        if len(sources) != 1:
            raise InvalidConfigError(f"{self.source} is {len(sources):,} videos; name one of them")
        if live_by_name(sources):
            raise InvalidConfigError(
                f"{self.source} is live, and gives frames no faster than it has them; measure with a file"
            )
        if may_be_wrong(sources[0]):
            open_video(sources[0]).close()  # what is not there is told before a model is loaded
        return sources[0]

    def _pass(
        self, source: str, detector: VideoDetector, folder: Path, frames: int, *, has_video: bool = True
    ) -> Summary:
        """Do what `heatprop detect` does, and return its summary."""
        request = Request(
            source,
            folder / "out.mp4" if has_video else None,
            {RESULTS: str(folder / "out.jsonl")},
            drawing=Drawing(),
            overwrite=True,
            resume=False,
            model=self.detector.model,
            max_frames=frames,
            seq_nms=False,
            score_threshold=self.detector.score_threshold,
            counts=Counts(LEAST_FRAMES),
        )
        outcomes, fault = do_jobs([request], detector, notify=_ignore, tell=_ignore, hides_bar=self.quiet)
        for problem in (pending(), fault, *(each for done in outcomes for each in (done.reason, *done.problems))):
            if problem is not None:
                raise problem
        (outcome,) = outcomes
        if outcome.summary is None:
            raise SourceError(f"{source}: no frame in it can be read; is the file damaged?")
        return outcome.summary


def _bare_network(source: str, detector: VideoDetector) -> tuple[SourceInfo, BareNetwork]:
    with open_video(source) as video:
        if video.info.is_live:
            raise InvalidConfigError(f"{source} is live, and cannot be read twice; measure with a file")
        images = [frame.image for frame in islice(video, _IMAGES)]
        if not images:
            raise SourceError(f"{source}: no frame in it can be read; is the file damaged?")
        alike = [image for image in images if image.shape == images[0].shape]
        return video.info, BareNetwork(detector, alike, video.info.sample_aspect_ratio)


def _ignore(_: str | Outcome) -> None:
    """What is said of a single pass is no part of the figures."""

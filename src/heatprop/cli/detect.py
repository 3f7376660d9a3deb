"""`heatprop detect`: objects in videos, as a video, as JSON Lines, or both; one source, or several at once."""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import cv2
import tyro

from heatprop.backends import BackendName, Device, Precision
from heatprop.cli.class_names_file import read_class_names
from heatprop.cli.detect_request import Request
from heatprop.cli.detect_run import run_jobs
from heatprop.cli.forms import FORMS, Form
from heatprop.cli.messages import say
from heatprop.cli.output_names import OutputNames, folders_made, name_outputs
from heatprop.cli.usage import UsageError
from heatprop.errors import InvalidConfigError, check_count, check_range
from heatprop.interrupts import Interrupted
from heatprop.io.addresses import is_address
from heatprop.io.names import is_live_by_name, sources_of
from heatprop.io.results import STANDARD_OUTPUT
from heatprop.propagation import PropagationConfig
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.keyframes import Fill, KeyframeConfig

_NAMES_OF_STANDARD_OUTPUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
_DETECTOR = {name: option.default for name, option in inspect.signature(VideoDetector).parameters.items()}


@dataclass(frozen=True, slots=True)
class Detect:
    """Find objects in videos and keep their boxes steady.
    $ heatprop detect street.mp4
    $ heatprop detect street.mp4 -o out.mp4 --json out.jsonl
    $ heatprop detect street.mp4 -o both.mp4 --compare
    $ heatprop detect street.mp4 --model yolox_s.onnx
    $ heatprop detect street.mp4 --seq-nms
    $ heatprop detect camera:0 --json - | head
    $ heatprop detect a.mp4 b.mp4 rtsp://host/door -o drawn --json found

    Several sources share one network: 4 files at a time, and all live ones at once. One that fails ends no other.
    Ctrl-C stops and keeps what was finished.
    """

    sources: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="SOURCE [SOURCE ...]", help_behavior_hint="")
    ]
    """Video file, http or rtsp address, camera (camera:0), folder of images, or pattern ('shots/*.jpg').
    A folder or pattern of videos ('films/*.mp4') is several sources."""
    output: Annotated[
        Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT.mp4|FOLDER", help_behavior_hint="")
    ] = None
    """Annotated video; with neither this nor --json: NAME.heatprop.mp4 in the current folder.
    For several sources a folder, made if missing: NAME.mp4 of each, HOST-NAME.mp4 where addresses share a name."""
    json: Annotated[str | None, tyro.conf.arg(metavar="OUT.jsonl|FOLDER", help_behavior_hint="")] = None
    """Detections as JSON Lines; - for standard output.
    For several sources a folder, made if missing: NAME.jsonl of each."""
    compare: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """In the video, show the network alone (left) beside propagation (right)."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace outputs that exist."""
    resume: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Skip outputs that exist and are complete; do those that are missing or unfinished, from the start."""
    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Stop after N frames, of each source."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar and no summary; errors are still said."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = _DETECTOR["model"]
    """Embedded model (see heatprop models), or file of any detector (see heatprop models inspect FILE)."""
    layout: Annotated[str, tyro.conf.arg(metavar="NAME")] = _DETECTOR["layout"]
    """What the outputs of such a file mean, where that is not recognised; a wrong name is answered with all."""
    class_names: Annotated[Path | None, tyro.conf.arg(metavar="NAMES.txt", help_behavior_hint="")] = None
    """Names of such a file's classes, one a line, where it has none or others."""
    input_size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS", help_behavior_hint="")] = _DETECTOR[
        "input_size"
    ]
    """Scale the longer side of an image to this for the network: smaller is faster and loses small objects.
    A multiple of 32 for the embedded models; default: as the model's card says (see heatprop models)."""
    backend: BackendName = _DETECTOR["backend"]
    """What runs the network; auto takes the fastest installed."""
    precision: Precision = _DETECTOR["precision"]
    """Of the network; bf16 is faster where OpenVINO and the processor have it, and moves boxes by a pixel."""
    device: Device = _DETECTOR["device"]
    """Where the network runs: cuda (ONNX Runtime, PyTorch) and tensorrt (ONNX Runtime) are graphics cards."""
    score_threshold: Annotated[float, tyro.conf.arg(metavar="SCORE")] = _DETECTOR["score_threshold"]
    """Show objects of at least this score, 0 to 1."""
    class_agnostic_nms: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Show once what is found as several classes, such as car and truck, in nearly the same box."""
    no_propagation: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """The network alone, each frame for itself."""
    propagation: Form = "adaptive"
    """adaptive follows each object and soon forgets what is not seen; paper lays squares, as the paper does."""
    radius: Annotated[int, tyro.conf.arg(metavar="CELLS")] = PropagationConfig.radius
    """Propagation: how far an object may move in a frame, in cells of the output grid; adaptive: from where its
    velocity takes it, and less once that is known well."""
    alpha: Annotated[float, tyro.conf.arg(metavar="SHARE")] = PropagationConfig.alpha
    """Propagation: share of the past in the balance, 0 to 1."""
    beta: Annotated[float, tyro.conf.arg(metavar="POWER")] = PropagationConfig.beta
    """Propagation: how strongly the length of a track counts; may be inf."""
    carry_over_cuts: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Propagation: do not start anew where one shot ends and another begins."""
    keyframe_interval: Annotated[int, tyro.conf.arg(metavar="N")] = KeyframeConfig.interval
    """The network runs on every Nth frame, 1 to 30, and where a shot begins; boxes follow their objects
    between. Three times faster, for N of 3, where the network is what takes the time."""
    target_fps: Annotated[float | None, tyro.conf.arg(metavar="FPS", help_behavior_hint="")] = None
    """Hold so many frames a second: the network runs only as often as leaves time for that, no more often than
    --keyframe-interval, and rather where the image changes."""
    keyframe_fill: Annotated[Fill, tyro.conf.arg(help_behavior_hint="")] = KeyframeConfig.fill
    """Boxes between two key frames: from the past one, without delay, or from both (auto, except live)."""
    reconnect: Annotated[float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="")] = None
    """Try a live stream that breaks again for so long, with growing pauses; 0: end immediately. Default: 10."""
    seq_nms: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Find objects in all frames first, rescore them along their paths, then write; not for live sources."""

    def run(self) -> int:
        """Do it and return the exit code.

        Raises:
            HeatpropError: the request is bad; nothing was written.
        """
        self._check()
        # Frames are scaled side by side; threads within one would only take turns with those of the network.
        cv2.setNumThreads(1)
        results = STANDARD_OUTPUT if self.json in _NAMES_OF_STANDARD_OUTPUT else self.json
        notes: list[str] = []
        sources = sources_of(self.sources, notes.append)
        names = name_outputs(sources, self.output, results, are_several=sources != list(self.sources))
        requests = [self._request(source, name) for source, name in zip(sources, names, strict=True)]
        is_list = len(requests) > 1 or sources != list(self.sources)
        if not is_list and _may_be_wrong(sources[0]):
            requests[0].open().close()  # what is not there is told before a model is loaded
        try:
            detector = self._detector()
            with folders_made(names) if is_list else nullcontext():
                hides_bar = self.quiet or (results == STANDARD_OUTPUT and sys.stdout.isatty())
                return run_jobs(
                    requests, detector, is_list=is_list, quiet=self.quiet, hides_bar=hides_bar, notes=notes
                )
        except Interrupted as interrupted:
            say("heatprop: interrupted; nothing is written")
            return interrupted.exit_code

    def _check(self) -> None:
        """Raise InvalidConfigError where options do not go together."""
        if not self.sources:
            raise UsageError("missing from heatprop detect: SOURCE; see heatprop detect --help")
        if self.max_frames is not None:
            check_count("--max-frames", self.max_frames, 1)
        if self.resume and self.overwrite:
            raise InvalidConfigError(
                "--resume keeps what is complete and --overwrite replaces it; drop one of them"
            )
        if self.compare and self.json is not None and self.output is None:
            raise InvalidConfigError("--compare shows two images side by side; add -o OUT.mp4 for the video")
        if self.propagation != "adaptive" and self.no_propagation:
            raise InvalidConfigError(
                f"--no-propagation contradicts --propagation {self.propagation}; drop one of them"
            )
        if self.compare and self.no_propagation:
            raise InvalidConfigError("--compare needs propagation for the right side; drop --no-propagation")
        check_range("score_threshold", self.score_threshold, 0, 1)
        if self.reconnect is not None:
            check_range("--reconnect", self.reconnect, 0, 1e9)
        self._keyframes()

    def _keyframes(self) -> KeyframeConfig:
        return KeyframeConfig(interval=self.keyframe_interval, target_fps=self.target_fps, fill=self.keyframe_fill)

    def _request(self, source: str, outputs: OutputNames) -> Request:
        return Request(
            source,
            outputs.video,
            outputs.results,
            compare=self.compare,
            overwrite=self.overwrite,
            resume=self.resume,
            model=self.model,
            max_frames=self.max_frames,
            seq_nms=self.seq_nms,
            score_threshold=self.score_threshold,
            reconnect=self.reconnect,
        )

    def _detector(self) -> VideoDetector:
        propagation = None
        if not self.no_propagation:
            form = FORMS[self.propagation]()
            propagation = replace(form, radius=self.radius, alpha=self.alpha, beta=self.beta)
        min_score = self.score_threshold
        if self.seq_nms:
            # Paths need their weak boxes too; they are cut down when they are rescored.
            min_score = min(min_score, PropagationConfig.score_threshold)
        detector = VideoDetector(
            self.model,
            propagation=propagation,
            backend=self.backend,
            precision=self.precision,
            device=self.device,
            forget_at_cuts=not self.carry_over_cuts,
            score_threshold=min_score,
            keyframes=self._keyframes(),
            input_size=self.input_size,
            layout=self.layout,
            class_agnostic_nms=self.class_agnostic_nms,
            classes=None if self.class_names is None else read_class_names(self.class_names),
        )
        if detector.card.gives_boxes and self.radius != PropagationConfig.radius:
            raise InvalidConfigError(
                f"--radius counts cells of a heatmap, and model {detector.card.name} gives boxes, which are "
                "looked for by overlap; leave it out"
            )
        return detector


def _may_be_wrong(source: str) -> bool:
    """Return whether a source is perhaps not there. One that can be opened only once is not tried."""
    return not (is_address(source) or is_live_by_name(source) or os.path.exists(source))

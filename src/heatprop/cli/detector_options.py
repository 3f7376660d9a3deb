"""What finds the objects: the options of every command that runs a detector on video."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from heatprop.backends import BackendName, Device, Precision
from heatprop.cli.class_names_file import read_class_names
from heatprop.cli.forms import FORMS, Form
from heatprop.errors import InvalidConfigError, check_range
from heatprop.propagation import PropagationConfig
from heatprop.runtime.detector import VideoDetector
from heatprop.runtime.keyframes import Fill, KeyframeConfig

_DETECTOR = {name: option.default for name, option in inspect.signature(VideoDetector).parameters.items()}


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How objects are found and followed."""

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
    classes: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="CLASS [CLASS ...]", help_behavior_hint="")
    ] = _DETECTOR["only"]
    """Only these are wanted, by name or number; no others are followed or shown. Write SOURCE before it."""
    class_agnostic_nms: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Show once what is found as several classes, such as car and truck, in nearly the same box."""
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

    def check(self) -> None:
        """Raise InvalidConfigError where a value lies outside its range."""
        check_range("score_threshold", self.score_threshold, 0, 1)
        if self.classes == ():
            raise InvalidConfigError("--classes names none; give names or numbers, such as --classes person car")
        self.keyframes()

    def keyframes(self) -> KeyframeConfig:
        """Return on which frames the network runs.

        Raises:
            InvalidConfigError: a value lies outside its range.
        """
        return KeyframeConfig(interval=self.keyframe_interval, target_fps=self.target_fps, fill=self.keyframe_fill)

    def open(self, *, propagates: bool = True, finds_weak: bool = False) -> VideoDetector:
        """Return the detector that is asked for.

        Args:
            propagates: whether objects are followed; else each frame is for itself.
            finds_weak: whether it also gives objects below the threshold, for who rescores them.

        Raises:
            HeatpropError: there is no such model or backend, or options do not go together.
        """
        propagation = None
        if propagates:
            form = FORMS[self.propagation]()
            propagation = replace(form, radius=self.radius, alpha=self.alpha, beta=self.beta)
        weakest = PropagationConfig.score_threshold if finds_weak else self.score_threshold
        detector = VideoDetector(
            self.model,
            propagation=propagation,
            backend=self.backend,
            precision=self.precision,
            device=self.device,
            forget_at_cuts=not self.carry_over_cuts,
            score_threshold=min(self.score_threshold, weakest),
            keyframes=self.keyframes(),
            input_size=self.input_size,
            layout=self.layout,
            class_agnostic_nms=self.class_agnostic_nms,
            classes=None if self.class_names is None else read_class_names(self.class_names),
            only=self.classes,
        )
        if detector.card.gives_boxes and self.radius != PropagationConfig.radius:
            raise InvalidConfigError(
                f"--radius counts cells of a heatmap, and model {detector.card.name} gives boxes, which are "
                "looked for by overlap; leave it out"
            )
        return detector

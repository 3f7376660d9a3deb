"""Postprocessing: from the network's outputs for the frames of a video to detections in their pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from heatprop.boxes import nms, nms_across_classes
from heatprop.letterbox import boxes_to_frame
from heatprop.propagation import BoxEvidence, HeatmapPropagator, Memory, PropagationConfig, Rule, decode
from heatprop.runtime.between import Between
from heatprop.runtime.numbering import Numbering
from heatprop.runtime.preprocessing import PreparedFrame
from heatprop.runtime.wanted_classes import renumbered, without_others
from heatprop.types import Detections, DetectorOutput, HeadOutput, IntArray

SAME_THING = 0.8
"""Intersection over union above which boxes of two classes show the same thing; see docs/benchmarks.md."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoState:
    """All that the frames of a video so far mean for the detections of the next.

    Attributes:
        memory: of the propagator.
        between: the frames since the last key frame.
        numbering: of the objects that were shown.
    """

    memory: Memory
    between: Between
    numbering: Numbering = field(default_factory=Numbering)


class Postprocessing:
    """How outputs become detections. What a video remembers is a value: `step` takes one, and returns the next.

    So a step happens whole or not at all: whoever keeps the state commits it, in one place, when nothing can fail
    any more.

    Args:
        propagation: None for the network alone.
        score_threshold: of the detections.
        stride: pixels of the network's input for one unit of its boxes: a cell of the heatmap, or a pixel.
        nms_iou: of a network that gives boxes: of two of a class that overlap by more, the weaker goes. That comes
            last, in place of what adaptive propagation says; but first in the paper's form, which lifts all boxes
            near an object and keeps its own. None where the network gives one box for an object.
        fills_between: whether frames that are no key frames wait for the next one.
        class_agnostic_nms: whether of boxes of any classes that overlap by more than `SAME_THING` the best is
            shown. Propagation still follows all of them.
        wanted: numbers of the classes that are propagated and shown, ascending; None for all.
    """

    def __init__(
        self,
        propagation: PropagationConfig | None,
        score_threshold: float,
        stride: int,
        *,
        nms_iou: float | None = None,
        fills_between: bool = False,
        class_agnostic_nms: bool = False,
        wanted: IntArray | None = None,
    ) -> None:
        if propagation is not None and propagation.adaptation is not None and nms_iou is not None:
            propagation, nms_iou = replace(propagation, nms_iou=nms_iou), None
        self._propagator = None if propagation is None else HeatmapPropagator(propagation)
        self._first_nms_iou, self._class_agnostic_nms = nms_iou, class_agnostic_nms
        self._score_threshold, self._stride, self._fills_between = score_threshold, stride, fills_between
        self._wanted = wanted

    @property
    def rule(self) -> Rule | None:
        """What puts tracklets and outputs together; None for the network alone."""
        return None if self._propagator is None else self._propagator.rule

    def begin(self) -> VideoState:
        """Return the state before the first frame of a video."""
        return VideoState(Memory(), Between(self._stride))

    def step(
        self, state: VideoState, frame: PreparedFrame, output: DetectorOutput | None, *, overwrite: bool = True
    ) -> tuple[VideoState, list[Detections]]:
        """Take the next frame.

        Args:
            state: after the frame before.
            frame: the frame.
            output: the network's, for that frame; None where it is no key frame. The first of a shot is one.
            overwrite: whether `output.heatmap` may be changed, which spares copying it.

        Returns:
            The state after it; and the detections of the frames that are finished by it, in their order, boxes in
            pixels of the frame, clipped, by falling score.

        Raises:
            InvalidArrayError: the output is broken; see `HeatmapPropagator.update`.
        """
        memory, between, finished = self._step(state.memory, state.between, frame, output, overwrite=overwrite)
        shown, numbering = _numbered(finished, state.numbering)
        if output is not None and self._propagator is not None:
            numbering = numbering.kept(memory.known_ids)
        return VideoState(memory, between, numbering), shown

    def finish(self, state: VideoState) -> list[Detections]:
        """Return the detections of the frames that still wait for a key frame, from the past alone."""
        shown, _ = _numbered(self._waiting(state.between), state.numbering)
        return shown

    def _step(
        self,
        memory: Memory,
        between: Between,
        frame: PreparedFrame,
        output: DetectorOutput | None,
        *,
        overwrite: bool,
    ) -> tuple[Memory, Between, list[Detections]]:
        """Do what `step` does, with the propagator's ids."""
        finished: list[Detections] = []
        if frame.starts_shot:
            finished += self._waiting(between)
            memory, between = memory.forgotten(same_objects=frame.shows_the_same), Between(self._stride)
        if output is None or between.paths:
            between = between.followed(frame)
        if output is None:
            between = replace(between, last=frame, waiting=(*between.waiting, frame))
            if not self._fills_between:
                finished += self._shown_between(between.filled_from_past(), between)
                between = replace(between, waiting=())
            return memory, between, finished
        if self._wanted is not None:
            output, overwrite = without_others(output, self._wanted), True
        memory, detections = self._detect(memory, between, frame, output, overwrite=overwrite)
        if self._wanted is not None and isinstance(output, HeadOutput):
            detections = renumbered(detections, self._wanted)
        if between.waiting:
            filled = between.filled(detections, frame, min_score=self._score_threshold)
            finished += self._shown_between(filled, between)
        finished.append(self._shown(detections, frame))
        return memory, Between(self._stride, detections, detections.boxes, frame), finished

    def _waiting(self, between: Between) -> list[Detections]:
        return self._shown_between(between.filled_from_past(), between)

    def _detect(
        self, memory: Memory, between: Between, frame: PreparedFrame, output: DetectorOutput, *, overwrite: bool
    ) -> tuple[Memory, Detections]:
        if isinstance(output, Detections) and self._first_nms_iou is not None:
            output = output.select(nms(output.boxes, output.labels, self._first_nms_iou))
        if self._propagator is None:
            if isinstance(output, HeadOutput):
                return memory, decode(output, score_threshold=self._score_threshold)
            return memory, output.select(output.scores >= self._score_threshold)
        seen: HeadOutput | BoxEvidence
        if isinstance(output, HeadOutput):
            seen, cell = output, float(self._stride)
        else:
            seen = BoxEvidence(output, (frame.letterbox.input_height, frame.letterbox.input_width))
            cell = seen.cell
        self._propagator.memory = memory
        if (motion := between.motion()) is not None:
            shifts, growth = motion
            self._propagator.move(shifts * (self._stride / cell), growth)
        area = frame.letterbox.image_area(cell)
        detections = self._propagator.update(seen, overwrite=overwrite, image_area=area)
        return self._propagator.memory, detections

    def _shown_between(self, detections: list[Detections], between: Between) -> list[Detections]:
        """Return what is shown of the waiting frames: nothing that has left the frame."""
        shown = []
        for each, frame in zip(detections, between.waiting, strict=True):
            inside = self._shown(each, frame)
            width, height = (inside.boxes[:, 2:] - inside.boxes[:, :2]).T
            shown.append(inside.select((width > 0) & (height > 0)))
        return shown

    def _shown(self, detections: Detections, frame: PreparedFrame) -> Detections:
        shown = detections.select(detections.scores >= self._score_threshold)
        if self._class_agnostic_nms:
            shown = shown.select(nms_across_classes(shown.boxes, shown.scores, SAME_THING))
        return replace(shown, boxes=boxes_to_frame(shown.boxes, frame.letterbox, self._stride))


def _numbered(shown: list[Detections], numbering: Numbering) -> tuple[list[Detections], Numbering]:
    """Return the detections of some frames with the numbers of their objects, and the numbering after them."""
    numbered = []
    for detections in shown:
        one, numbering = numbering.numbered(detections)
        numbered.append(one)
    return numbered, numbering

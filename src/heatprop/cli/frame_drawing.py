"""A frame as the annotated video of a run shows it."""

from __future__ import annotations

from collections.abc import Sequence

from heatprop.cli.counts import Counts
from heatprop.cli.detect_request import Drawing
from heatprop.drawing import draw, side_by_side
from heatprop.types import Detections, ImageArray

_CAPTIONS = ("network alone", "with heatmap propagation")
_RESCORED_CAPTIONS = ("network alone", "with propagation and Seq-NMS")


class FrameDrawing:
    """Draws the frames of one video, in order.

    Args:
        drawing: how.
        counts: of the video; its lines and zones are drawn, too.
        classes: of the model.
        mark_new: see `heatprop.drawing.draw`.
        rescored: whether Seq-NMS works on the detections, for the caption of `compare`.
        shown_at: as what share of its size the image will be shown.
    """

    def __init__(
        self,
        drawing: Drawing,
        counts: Counts,
        classes: Sequence[str],
        *,
        mark_new: bool,
        rescored: bool = False,
        shown_at: float = 1.0,
    ) -> None:
        self._drawing, self._counts, self._classes = drawing, counts, classes
        self._mark_new, self._shown_at = mark_new, shown_at
        self._captions = _RESCORED_CAPTIONS if rescored else _CAPTIONS
        self._trails = drawing.options.new_trails()

    def draw(
        self, time: float, image: ImageArray, detections: Detections, alone: Detections | None = None
    ) -> ImageArray:
        """Return a frame with what was found in it; twice as wide where both ways are compared.

        Args:
            time: of the frame, in seconds.
            image: of the frame.
            detections: of the frame; `Counts` knows of them already.
            alone: detections of the network alone.
        """
        options = self._drawing.options
        if self._trails is not None:
            self._trails.update(time, detections)
        drawn = draw(
            image,
            detections,
            self._classes,
            mark_new=self._mark_new,
            draw_ids=self._drawing.draw_ids,
            colour_by=options.colour_by,
            line_width=options.line_width,
            label_parts=options.parts,
            trails=self._trails,
            shown_at=self._shown_at,
        )
        drawn = self._counts.draw(drawn, shown_at=self._shown_at)
        if alone is None or not self._drawing.compare:
            return drawn
        left = draw(
            image,
            alone,
            self._classes,
            line_width=options.line_width,
            label_parts=[part for part in options.parts if part in ("name", "score")],
            shown_at=self._shown_at,
        )
        return side_by_side(left, drawn, self._captions, shown_at=self._shown_at)

"""The propagator for detectors that give only boxes."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from heatprop.errors import InvalidArrayError
from heatprop.interop import supervision
from heatprop.propagation.box_evidence import BoxEvidence, ImageSize, require_image_size
from heatprop.propagation.config import PropagationConfig
from heatprop.propagation.propagator import HeatmapPropagator
from heatprop.types import Detections


class DetectionPropagator:
    """Online propagation of the boxes of any detector over the frames of one video.

    Give it what the detector finds in each frame, in order; low scores are welcome, for they help an object on
    that is hardly seen. Call `reset` before another video. It is not thread-safe: give each video its own.

    Settings count in cells: there are 128 along the longer side of the frame. Which boxes may be an object's is
    said by overlap with the expected box, not by distance, so `PropagationConfig.radius` is of no account.

    Args:
        config: the settings; None for the paper's. `PropagationConfig.adaptive()` is what we recommend.

    Example:
        An object seen for three frames is missed by the detector in the fourth, and is kept.

        >>> propagator = DetectionPropagator(PropagationConfig.adaptive())
        >>> seen = Detections([[10, 20, 50, 80]], [0.9], [0])
        >>> for detections in (seen, seen, seen, Detections.empty()):
        ...     found = propagator.update(detections, image_size=(120, 160))
        >>> found.boxes, found.scores.round(3), found.lengths, found.track_ids
        (array([[10., 20., 50., 80.]], dtype=float32), array([0.605], dtype=float32), array([4]), array([0]))
    """

    def __init__(self, config: PropagationConfig | None = None) -> None:
        self._propagator = HeatmapPropagator(config)
        self._image_size: ImageSize | None = None
        self._class_names: dict[int, str] = {}

    @property
    def config(self) -> PropagationConfig:
        """The settings."""
        return self._propagator.config

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a video, whose ids begin with 0."""
        self._propagator.reset()
        self._image_size = None

    def forget(self) -> None:
        """Forget all objects, as at a cut: those to come are new, and no id comes back."""
        self._propagator.forget()

    @overload
    def update(self, detections: Detections, image_size: ImageSize) -> Detections: ...

    @overload
    def update(self, detections: Any, image_size: ImageSize) -> Any: ...

    def update(self, detections: Any, image_size: ImageSize) -> Any:
        """Propagate to the next frame.

        Args:
            detections: what the detector finds in it, boxes in pixels, best after its suppression; or a
                `supervision.Detections`. It stays as it is.
            image_size: height and width of the frame in pixels.

        Returns:
            Detections of at least `config.score_threshold`, by falling score, with tracklet lengths and ids; boxes
            in pixels, clipped to the frame. Of the kind that was given: in supervision's, ``data["length"]`` has
            the lengths, and ``data["class_name"]`` the names of classes where the detector gave them.

        Raises:
            InvalidArrayError: these are no detections, a score is not within [0, 1], the sides of a box are
                crossed, or the size of the frame differs from the last one's. The state stays as it was.
        """
        if not supervision.is_supervision(detections):
            return self._update(detections, image_size)
        class_names = self._class_names | supervision.class_names(detections)
        found = supervision.to_supervision(
            self._update(supervision.from_supervision(detections), image_size), class_names
        )
        self._class_names = class_names
        return found

    def _update(self, detections: Detections, image_size: ImageSize) -> Detections:
        size = require_image_size(image_size)
        if self._image_size not in (None, size):
            raise InvalidArrayError(
                f"image_size changed from {self._image_size} to {size}; call reset() before another video"
            )
        seen = BoxEvidence(detections, size)
        found = self._propagator.update(seen, image_area=seen.area)
        self._image_size = size
        height, width = size
        np.clip(found.boxes, 0, np.array([width, height, width, height], np.float32), out=found.boxes)
        return found

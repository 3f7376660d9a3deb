"""The interpolation baseline of the paper's section 5.1, with equation 11 over the whole heatmap."""

from __future__ import annotations

import numpy as np

from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import check_probabilities, hold_probabilities
from heatprop.propagation import DecodingConfig, GridEvidence
from heatprop.propagation.decoding import best_sites, detect
from heatprop.types import Detections, FloatArray, HeadOutput, IntArray


class HeatmapInterpolator:
    """Averages each heatmap with that of the frame before, half and half, in every cell (equation 11).

    Feed it the network's output of each frame in order, like `HeatmapPropagator`. What is averaged is the
    network's own output of both frames, never an average. The first frame is taken as it is. The paper gives no
    sizes; here each cell has the mean of both, weighted by their scores, which is equation 7 with the last frame's
    own output as what is carried. Offsets are those of the present frame.

    `PropagationConfig.interpolation()` is the same as a special case of propagation, and differs on purpose where
    the last frame had no detection: there it leaves the network's value alone, while this class averages it with
    whatever the last frame had in the cell. So here an object that is new, or has moved, gets half its score.

    Args:
        config: how detections are taken from the averaged heatmap.

    Example:
        >>> def seen(score):
        ...     heatmap = np.zeros((1, 9, 9))
        ...     heatmap[0, 4, 4] = score
        ...     return HeadOutput(heatmap, np.full((2, 9, 9), 3.0))
        >>> interpolator = HeatmapInterpolator()
        >>> [f"{interpolator.update(seen(score)).scores[0]:.2f}" for score in (0.9, 0.1, 0.1)]
        ['0.90', '0.50', '0.10']
    """

    def __init__(self, config: DecodingConfig | None = None) -> None:
        self.config = config or DecodingConfig()
        self._last: HeadOutput | None = None

    def reset(self) -> None:
        """Forget everything: the next frame is the first of a video."""
        self._last = None

    def update(self, output: HeadOutput) -> Detections:
        """Detect in the next frame.

        Args:
            output: the network's, for the frame.

        Returns:
            Boxes in cells of the output grid, by falling averaged score; every length is 1.

        Raises:
            InvalidArrayError: the heatmap leaves [0, 1] or holds NaN; a size or offset at a peak is not finite; or
                classes, grid or form of the sizes differ from the last frame's. The state stays as it was.
        """
        last = self._last
        if last is not None and (
            last.heatmap.shape != output.heatmap.shape or last.size.shape != output.size.shape
        ):
            raise InvalidArrayError(
                f"heatmap and size changed from {last.heatmap.shape} and {last.size.shape} to "
                f"{output.heatmap.shape} and {output.size.shape}; call reset() before another video"
            )
        if not hold_probabilities(output.heatmap):
            check_probabilities(output.heatmap)
        averaged = output.heatmap if last is None else np.float32(0.5) * (output.heatmap + last.heatmap)
        seen = GridEvidence(HeadOutput(averaged, output.size, output.offset))
        cells = best_sites(seen, self.config)
        sizes = seen.sizes(cells) if last is None else _weighted_mean(output, last, cells)
        found = detect(seen, cells, sizes, self.config.nms_iou)
        self._last = HeadOutput(output.heatmap.copy(), output.size.copy())
        return Detections(found.boxes, found.scores, found.labels)


def _weighted_mean(output: HeadOutput, last: HeadOutput, cells: IntArray) -> FloatArray:
    """Average sizes ``(N, 2 or 4)`` of two frames by their scores ``(N,)``; the first where both scores are 0."""
    new, old = (each.heatmap.reshape(-1)[cells, None].astype(np.float64) for each in (output, last))
    both = np.where(new + old > 0, new + old, 1.0)
    share = np.where(new + old > 0, new / both, 1.0)
    sizes = [GridEvidence(each).sizes(cells) for each in (output, last)]
    return (share * sizes[0] + (1.0 - share) * sizes[1]).astype(np.float32)

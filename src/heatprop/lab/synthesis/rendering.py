"""A scene -> images: objects drawn over the background, blurred along their true paths, then spoilt as asked."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from heatprop.lab.synthesis.scenery import make_background
from heatprop.lab.synthesis.scenes import Item, Shot
from heatprop.lab.synthesis.settings import SceneSettings
from heatprop.lab.synthesis.sprites import Sprite
from heatprop.lab.synthesis.trajectories import Floats
from heatprop.types import ImageArray

_BEST_QUALITY = 88
_MIN_QUALITY = 6
_STEADY_NOISE = 1.5
_SHORTEST_BLUR = 1.0  # pixels; what moves less is sharp
_LONGEST_BLUR = 48

FloatImage = NDArray[np.float32]


class ShotRenderer:
    """Draws the frames of a shot.

    Args:
        shot: what happens.
        settings: size of the images and strengths of the troubles.
        sprites: of which litter in the background is cut.
    """

    def __init__(self, shot: Shot, settings: SceneSettings, sprites: Sequence[Sprite]) -> None:
        self._shot, self._settings = shot, settings
        self._rng = np.random.default_rng(shot.background_seed)
        width, height = settings.width, settings.height
        self._background = make_background(self._rng, width, height, sprites, shot.clutter)
        self._grain = self._rng.standard_normal((height + 64, width + 64, 3), np.float32)
        self._shifts = self._rng.integers(0, 64, (shot.frames, 2))
        self._items = [_Drawable(item) for item in shot.items]

    def render(self, frame: int) -> tuple[ImageArray, int]:
        """Return the image of a frame, uint8 ``(H, W, 3)`` RGB, and the JPEG quality to store it with."""
        shot, causes = self._shot, self._settings.causes
        exposure = float(shot.exposure[frame])
        image = _blurred(self._warped_background(frame), exposure * shot.camera_moved[frame])
        for item in self._items:
            item.draw(image, frame, exposure)
        dark = 1 - float(shot.severities["darkness"][frame]) * min(causes.darkness.strength, 1.0)
        if dark < 1:
            image *= dark
        sigma = float(shot.severities["defocus"][frame]) * causes.defocus.strength * self._settings.cell
        if sigma > 0.3:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
        grain = _STEADY_NOISE + float(shot.severities["noise"][frame]) * causes.noise.strength
        y, x = self._shifts[frame].tolist()
        image += grain * self._grain[y : y + image.shape[0], x : x + image.shape[1]]
        loss = float(shot.severities["compression"][frame]) * causes.compression.strength
        return np.clip(image, 0, 255).astype(np.uint8), max(_MIN_QUALITY, round(_BEST_QUALITY - loss))

    def _warped_background(self, frame: int) -> FloatImage:
        matrix = self._shot.camera[frame].copy()
        height, width = self._background.shape[:2]
        matrix[:, 2] += (width - 1) / 2, (height - 1) / 2
        warped = cv2.warpAffine(
            self._background, matrix, (self._settings.width, self._settings.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101,
        )  # fmt: skip
        return np.asarray(warped, np.float32)


def encode(image: ImageArray, quality: int) -> bytes:
    """Return an image as a JPEG file."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


class _Drawable:
    """An item with its alpha multiplied in, at halving sizes, so that small ones are smooth."""

    def __init__(self, item: Item) -> None:
        self._item = item
        pixels = item.pixels.astype(np.float32)
        pixels[..., :3] *= pixels[..., 3:] / 255 * np.array(item.tint, np.float32)
        self._levels = [pixels]
        while min(self._levels[-1].shape[:2]) >= 16:
            half = (self._levels[-1].shape[1] // 2, self._levels[-1].shape[0] // 2)
            smaller = cv2.resize(self._levels[-1], half, interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(smaller, np.float32))

    def draw(self, image: FloatImage, frame: int, exposure: float) -> None:
        """Lay the item over the image as it is in a frame."""
        affine, moved = self._item.affine[frame], exposure * self._item.moved[frame]
        scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
        level = int(np.clip(np.floor(-np.log2(max(scale, 1e-6)) + 0.3), 0, len(self._levels) - 1))
        source = self._levels[level]
        height, width = self._item.pixels.shape[:2]
        corners = affine[:, :2] @ np.array([[0, width, 0, width], [0, 0, height, height]]) + affine[:, 2:]
        reach = np.abs(moved) / 2 + 2
        low = np.floor(corners.min(axis=1) - reach).astype(int)
        high = np.ceil(corners.max(axis=1) + reach).astype(int) + 1
        # A window beyond the border as wide as the blur, so that what is outside smears in.
        margin = np.ceil(reach).astype(int)
        low = np.maximum(low, -margin)
        high = np.minimum(high, np.array([image.shape[1], image.shape[0]]) + margin)
        if (high <= low).any():
            return
        ratio_x, ratio_y = width / source.shape[1], height / source.shape[0]
        matrix = affine @ np.array([[ratio_x, 0, (ratio_x - 1) / 2], [0, ratio_y, (ratio_y - 1) / 2], [0, 0, 1]])
        matrix[:, 2] -= low
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        patch = _blurred(np.asarray(cv2.warpAffine(source, matrix, size, flags=cv2.INTER_LINEAR)), moved)
        x1, y1 = np.maximum(low, 0).tolist()
        x2, y2 = np.minimum(high, [image.shape[1], image.shape[0]]).tolist()
        if x2 <= x1 or y2 <= y1:
            return
        patch = patch[y1 - low[1] : y2 - low[1], x1 - low[0] : x2 - low[0]]
        window = image[y1:y2, x1:x2]
        window *= 1 - patch[..., 3:] / 255
        window += patch[..., :3]


def _blurred(image: FloatImage, moved: Floats) -> FloatImage:
    """Return an image smeared along the way it moved during the exposure, around its middle."""
    length = float(np.hypot(*moved))
    if length < _SHORTEST_BLUR:
        return image
    moved = moved * min(1.0, _LONGEST_BLUR / length)
    reach_x, reach_y = int(np.ceil(abs(moved[0]) / 2)), int(np.ceil(abs(moved[1]) / 2))
    kernel = np.zeros((2 * reach_y + 1, 2 * reach_x + 1), np.float32)
    steps = 2 * (reach_x + reach_y) + 1
    along = (np.arange(steps) + 0.5) / steps - 0.5
    columns = np.floor(along * moved[0] + reach_x + 0.5).astype(int)
    rows = np.floor(along * moved[1] + reach_y + 0.5).astype(int)
    np.add.at(kernel, (rows, columns), 1 / steps)
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)

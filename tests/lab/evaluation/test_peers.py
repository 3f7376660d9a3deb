"""The methods of others take and give `Detections`; without their packages nothing is tried."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatprop.types import Detections

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(params=["bytetrack", "norfair"])
def peer(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Return the function and the settings that keep what is not tracked."""
    if request.param == "bytetrack":
        pytest.importorskip("trackers")
        pytest.importorskip("supervision")
        module = importlib.import_module("peers.bytetrack")
        return module.bytetrack, module.ByteTrackSettings(keeps_untracked=True)
    pytest.importorskip("norfair")
    module = importlib.import_module("peers.norfair_tracker")
    return module.norfair, module.NorfairSettings(keeps_untracked=True, initialization_delay=0)


def video(frames: int = 12) -> list[Detections]:
    """Return a strong object of class 1 that moves, one of class 3 in the same place, and weak clutter."""
    random = np.random.default_rng(0)
    found = []
    for t in range(frames):
        moving = [10 + 2 * t, 10, 50 + 2 * t, 50]
        corner = random.uniform(100, 200, 2)
        boxes = [moving, moving, [*corner, *(corner + 9)]]
        found.append(Detections(boxes, [0.9 - 0.2 * (t % 2), 0.8, 0.06], [1, 3, 1]))
    if frames > 6:
        found[6] = Detections.empty()
    return found


def test_classes_are_tracked_apart_and_clutter_is_kept_when_asked(peer: tuple[Any, Any]) -> None:
    run, settings = peer
    for before, after in zip(video(), run(video(), settings), strict=True):
        assert (np.diff(after.scores) <= 0).all()
        if len(before):
            assert sorted(after.labels.tolist()) == [1, 1, 3]
            assert after.scores[-1] == np.float32(0.06)


def test_as_recommended_what_is_not_tracked_is_skipped(peer: tuple[Any, Any]) -> None:
    run, _ = peer
    assert all(found.scores.min(initial=1.0) > 0.1 for found in run(video()))
    assert any(len(found) == 2 for found in run(video()))


def test_scores_waver_less_with_bytetrack_and_smoothing() -> None:
    pytest.importorskip("trackers")
    pytest.importorskip("supervision")
    bytetrack = importlib.import_module("peers.bytetrack").bytetrack
    scores = [found.scores[found.labels == 1].max(initial=0.0) for found in bytetrack(video(6))]
    assert np.std(scores[3:]) < 0.1 * 0.9


def test_no_frames_and_frames_without_detections_are_nothing(peer: tuple[Any, Any]) -> None:
    run, settings = peer
    assert run([], settings) == []
    assert [len(found) for found in run([Detections.empty()] * 3, settings)] == [0, 0, 0]

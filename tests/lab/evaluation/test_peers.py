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


@pytest.fixture(params=["SORTTracker", "ByteTrackTracker", "OCSORTTracker", "BoTSORTTracker", "CBIoUTracker"])
def roboflow(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Return the function, and the settings of one of its trackers."""
    pytest.importorskip("trackers")
    pytest.importorskip("supervision")
    module = importlib.import_module("peers.roboflow")
    return module.roboflow, module.RoboflowSettings(tracker=request.param, in_seconds=True)


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


def steady(frames: int = 12) -> list[Detections]:
    """Return two objects of class 1 that go apart, and one of class 3 in the place of the first."""
    boxes = [([10 + t, 10, 50 + t, 50], [200 + 3 * t, 10, 240 + 3 * t, 50]) for t in range(frames)]
    return [Detections([one, two, one], [0.9, 0.85, 0.8], [1, 1, 3]) for one, two in boxes]


def test_each_object_keeps_an_id_of_its_own(peer: tuple[Any, Any]) -> None:
    run, settings = peer
    assert_identities(run(steady(), settings))


def test_each_tracker_of_the_package_keeps_an_id_of_its_own(roboflow: tuple[Any, Any]) -> None:
    run, settings = roboflow
    assert_identities(run(steady(), settings, frame_rate=25.0))
    if settings.tracker == "BoTSORTTracker":  # the others warn of images
        images = [np.full((60, 300, 3), 90, np.uint8) for _ in steady()]
        assert_identities(run(steady(), settings, images=images, frame_rate=25.0))


def assert_identities(tracked: list[Detections]) -> None:
    ids = {}
    for found in tracked[5:]:
        assert sorted(found.labels.tolist()) == [1, 1, 3]
        order = np.lexsort((found.boxes[:, 0], found.labels))
        ids[tuple(found.track_ids[order].tolist())] = None
    (only,) = ids
    assert len(set(only)) == 3
    assert min(only) >= 0


def test_trackers_of_the_package_leave_out_what_they_do_not_track(roboflow: tuple[Any, Any]) -> None:
    run, settings = roboflow
    tracked = run(video(), settings)
    assert all((found.track_ids >= 0).all() for found in tracked)
    assert run([], settings) == []
    assert [len(found) for found in run([Detections.empty()] * 3, settings)] == [0, 0, 0]

"""A tracker of Roboflow's `trackers` stands behind heatprop and takes what it gives, as the guide shows."""

import numpy as np
import pytest

from heatprop.propagation import DetectionPropagator, PropagationConfig

SIZE = (200, 300)


@pytest.mark.parametrize("name", ["ByteTrackTracker", "SORTTracker"])
def test_a_tracker_keeps_an_object_that_its_detector_misses(name):
    """In two frames the detector gives nothing: heatprop does, and the tracker has no gap."""
    supervision, trackers = pytest.importorskip("supervision"), pytest.importorskip("trackers")
    propagator, tracker = DetectionPropagator(PropagationConfig.adaptive()), getattr(trackers, name)()
    ids = []
    for step in range(12):
        found = supervision.Detections(
            np.float32([[100 + step, 50, 160 + step, 150]]), confidence=np.float32([0.9]), class_id=np.array([0])
        )
        if step in (8, 9):
            found = supervision.Detections.empty()
        ids.append(tracker.update(propagator.update(found, SIZE)).tracker_id.tolist())
    assert ids[5:] == [ids[5]] * 7
    assert len(ids[5]) == 1
    assert ids[5][0] >= 0

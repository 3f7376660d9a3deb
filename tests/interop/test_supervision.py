"""Detections go to Roboflow's `supervision` and come back."""

import sys

import numpy as np
import pytest

from heatprop import DetectionPropagator, Detections, PropagationConfig
from heatprop.errors import InvalidArrayError, MissingPackageError
from heatprop.interop.supervision import is_supervision, to_supervision
from same_detections import assert_same_detections

TWO = Detections([[0, 0, 4, 4], [10, 10, 30, 50.5]], [0.9, 0.2], [0, 3], [7, 1], [4, 9])
ADAPTIVE = PropagationConfig.adaptive()


@pytest.fixture
def supervision():
    return pytest.importorskip("supervision")


def test_a_round_trip_changes_nothing(supervision):
    there = TWO.to_supervision()
    assert isinstance(there, supervision.Detections)
    assert (there.tracker_id.tolist(), there.class_id.tolist()) == ([4, 9], [0, 3])
    np.testing.assert_array_equal(there.confidence, TWO.scores)
    assert_same_detections(Detections.from_supervision(there), TWO)


@pytest.mark.usefixtures("supervision")
def test_what_has_no_ids_has_none_on_the_other_side():
    alone = Detections(TWO.boxes, TWO.scores, TWO.labels)
    assert alone.to_supervision().tracker_id is None
    assert_same_detections(Detections.from_supervision(alone.to_supervision()), alone)


def test_no_objects_go_there_and_back(supervision):
    assert Detections.empty().to_supervision().is_empty()
    for nothing in (Detections.empty().to_supervision(), supervision.Detections.empty()):
        assert len(Detections.from_supervision(nothing)) == 0


@pytest.mark.usefixtures("supervision")
def test_arrays_are_copies():
    there = TWO.to_supervision()
    for array in (there.xyxy, there.confidence, there.class_id, there.tracker_id, there.data["length"]):
        array[:] = 0
    back = Detections.from_supervision(TWO.to_supervision())
    assert_same_detections(back, TWO)


def test_without_classes_all_are_of_one_and_without_scores_there_is_an_error(supervision):
    boxes = np.array([[0, 0, 4, 4]])
    found = Detections.from_supervision(supervision.Detections(xyxy=boxes, confidence=np.array([0.5])))
    assert (found.labels.tolist(), found.track_ids.tolist()) == ([0], [-1])
    with pytest.raises(InvalidArrayError, match="confidence is None"):
        Detections.from_supervision(supervision.Detections(xyxy=boxes))
    with pytest.raises(InvalidArrayError, match=r"detections are Detections; give a supervision\.Detections"):
        Detections.from_supervision(TWO)


def test_what_can_be_done_with_supervision_can_be_done_with_them(supervision):
    there = TWO.to_supervision()
    assert there[there.confidence > 0.5].tracker_id.tolist() == [4]
    image = np.zeros((60, 60, 3), np.uint8)
    assert supervision.BoxAnnotator().annotate(image.copy(), there).any()
    assert len(supervision.Detections.merge([there, there])) == 4


def test_the_propagator_takes_them_and_gives_them_back(supervision):
    size, own, theirs = (64, 64), DetectionPropagator(ADAPTIVE), DetectionPropagator(ADAPTIVE)
    named = TWO.to_supervision()
    named.data["class_name"] = np.array(["person", "dog"])
    for given in (named, named, supervision.Detections.empty(), named[[1]]):
        found = theirs.update(given, image_size=size)
        wanted = own.update(Detections.from_supervision(given), image_size=size)
        assert isinstance(found, supervision.Detections)
        assert_same_detections(Detections.from_supervision(found), wanted)
        names = {0: "person", 3: "dog"}
        assert found.data["class_name"].tolist() == [names[label] for label in wanted.labels.tolist()]
    assert len(found) == 2


def test_the_propagator_refuses_theirs_as_it_does_ours(supervision):
    propagator = DetectionPropagator(ADAPTIVE)
    propagator.update(TWO, (64, 64))
    bad = supervision.Detections(xyxy=np.array([[4.0, 0, 0, 4]]), confidence=np.array([0.5]))
    with pytest.raises(InvalidArrayError, match="crossed"):
        propagator.update(bad, (64, 64))
    assert propagator.update(TWO, (64, 64)).lengths.tolist() == [2, 2]


def test_without_supervision_an_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'heatprop\[supervision\]'"):
        TWO.to_supervision()
    with pytest.raises(InvalidArrayError, match="detections are Detections"):
        Detections.from_supervision(TWO)
    assert not is_supervision(TWO)
    assert len(DetectionPropagator().update(TWO, (64, 64))) == 2


@pytest.mark.usefixtures("supervision")
def test_class_names_that_are_not_known_are_numbers():
    assert to_supervision(TWO, {3: "dog"}).data["class_name"].tolist() == ["0", "dog"]

"""Wanted classes: as if the network had said nothing of the others, which is what the oracle gives it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatprop import VideoDetector
from heatprop.errors import InvalidConfigError
from heatprop.letterbox import InputFormat
from heatprop.propagation import PropagationConfig
from heatprop.runtime.postprocessing import Postprocessing
from heatprop.runtime.preprocessing import Preprocessing, Seen
from heatprop.runtime.wanted_classes import numbers_of
from heatprop.types import Detections, DetectorOutput, HeadOutput
from same_detections import assert_same_detections

FORMS = [None, PropagationConfig.paper(), PropagationConfig.adaptive()]
CLASSES = 5
IMAGE = np.kron(np.random.default_rng(0).integers(0, 255, (4, 4, 3)), np.ones((16, 16, 1))).astype(np.uint8)


def heatmap_of(seed: int) -> HeadOutput:
    random = np.random.default_rng(seed)
    heatmap = random.random((CLASSES, 16, 16), np.float32) ** 4
    return HeadOutput(heatmap, random.uniform(1, 6, (2, 16, 16)), random.random((2, 16, 16)))


def boxes_of(seed: int) -> Detections:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 40, (30, 2))
    boxes = np.concatenate([corners, corners + random.uniform(4, 20, (30, 2))], axis=1)
    return Detections(boxes, np.sort(random.random(30))[::-1], random.integers(0, CLASSES, 30))


def silenced(output: DetectorOutput, wanted: list[int]) -> DetectorOutput:
    """Return an output in which the network is silent of all classes but some."""
    if isinstance(output, HeadOutput):
        heatmap = output.heatmap.copy()
        for number in range(CLASSES):
            if number not in wanted:
                heatmap[number] = 0
        return replace(output, heatmap=heatmap)
    return output.select(np.array([row for row, label in enumerate(output.labels) if label in wanted], np.int64))


def found_in(postprocessing: Postprocessing, outputs: list[DetectorOutput]) -> list[Detections]:
    preparing = Preprocessing(InputFormat(64), clock=None, forget_at_cuts=True)
    state, seen, found = postprocessing.begin(), Seen(), []
    for output in outputs:
        prepared, seen = preparing.prepare(IMAGE, seen)
        state, finished = postprocessing.step(state, prepared, output)
        found += finished
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.sampled_from([heatmap_of, boxes_of]),
    st.sets(st.integers(0, CLASSES - 1), min_size=1),
    st.integers(0, 1000),
    st.booleans(),
)
def test_it_is_as_if_the_network_said_nothing_of_the_others(form, made, wanted, seed, agnostic):
    outputs = [made(seed + number) for number in range(4)]
    kept = [replace(each, **{"heatmap": each.heatmap.copy()}) if made is heatmap_of else each for each in outputs]
    stride, nms_iou = (4, None) if made is heatmap_of else (1, 0.5)
    few = Postprocessing(
        form, 0.2, stride, nms_iou=nms_iou, class_agnostic_nms=agnostic, wanted=np.array(sorted(wanted))
    )
    every = Postprocessing(form, 0.2, stride, nms_iou=nms_iou, class_agnostic_nms=agnostic)
    oracle = found_in(every, [silenced(each, sorted(wanted)) for each in kept])
    found = found_in(few, outputs)
    assert len(found) == len(oracle) == 4
    for each, other in zip(found, oracle, strict=True):
        assert_same_detections(each, other)
        assert set(each.labels.tolist()) <= wanted
    for each, before in zip(outputs, kept, strict=True):  # the outputs stay as they are
        if isinstance(each, HeadOutput):
            np.testing.assert_array_equal(each.heatmap, before.heatmap)


def test_names_are_found_in_any_case_and_numbers_as_numbers():
    classes = ["person", "Car", "traffic light", "7", "CAR"]
    assert numbers_of(["TRAFFIC  light", "person"], classes).tolist() == [0, 2]
    assert numbers_of([2, "0", 2], classes).tolist() == [0, 2]
    assert numbers_of(["7"], classes).tolist() == [3]
    assert numbers_of(["CAR"], classes).tolist() == [4]
    assert numbers_of(["car"], classes).tolist() == [1]


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (["persn"], "the model has no class 'persn'; perhaps person"),
        (["zzz"], "the model has no class 'zzz'; it has person, bicycle, car and 77 more, numbered from 0"),
        ([80], "no class '80'; it has person"),
        ([-1], "no class '-1'"),
        ([""], "no class ''"),
        (["²"], "no class '²'"),
        ([], "give a list of names or numbers"),
        ("person", "'person'; give a list of names or numbers"),
    ],
)
def test_what_is_no_class_is_said_in_a_line(only, said):
    with pytest.raises(InvalidConfigError) as raised:
        VideoDetector(only=only)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_detector_says_which_classes_it_was_given(street_image):
    detector = VideoDetector(backend="onnx", only=("Person", 2))
    assert detector.only == ("person", "car")
    found = detector.update(street_image)
    assert set(found.labels.tolist()) <= {0, 2}
    assert VideoDetector(backend="onnx").only is None

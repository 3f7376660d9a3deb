"""What the adaptive form remembers, and that a broken frame changes nothing of it."""

from dataclasses import fields
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_scenes import ADAPTIVE, after, scene
from adaptive_videos import configs, outputs, videos
from heatprop.errors import InvalidArrayError
from heatprop.propagation import HeatmapPropagator, Memory, PropagationConfig
from same_detections import assert_same_detections


def test_the_memory_of_another_form_is_refused():
    adaptive, papers = (HeatmapPropagator(config) for config in (ADAPTIVE, PropagationConfig.paper()))
    for one, other in ((adaptive, papers), (papers, adaptive)):
        one.update(scene((12, 12, 0.9)))
        with pytest.raises(InvalidArrayError, match="another form of propagation"):
            other.memory = one.memory
        other.memory = Memory()
        assert other.memory == Memory()


@given(videos(), configs(), st.integers(0, 5))
def test_a_propagator_with_the_memory_of_another_goes_on_as_that_one(frames, config, at):
    first, second = HeatmapPropagator(config), HeatmapPropagator(config)
    for output in outputs(frames[:at]):
        first.update(output)
    if at:
        second.memory = first.memory
    for output in outputs(frames[at:]):
        assert_same_detections(second.update(output), first.update(output))


def state(propagator):
    tracklets, form, identities, next_id = propagator.memory
    parts = [
        {item.name: getattr(part, item.name).tolist() for item in fields(part)} for part in (tracklets, identities)
    ]
    return form, next_id, parts


@pytest.mark.parametrize("place", [(12, 12), (12, 13), (10, 10), (0, 0), (23, 23)])
@pytest.mark.parametrize("value", [nan, inf, -inf, -0.5, 1.5])
def test_a_heatmap_that_holds_no_probabilities_is_refused_and_the_state_stays(place, value):
    propagator, _ = after(ADAPTIVE, [scene((12, 12, 0.9), (5, 20, 0.6))] * 3)
    before = state(propagator)
    broken = scene((12, 12, 0.8), (*place, value))
    with pytest.raises(InvalidArrayError, match=rf"\(0, {place[0]}, {place[1]}\)"):
        propagator.update(broken)
    assert state(propagator) == before
    assert propagator.update(scene((12, 12, 0.9))).lengths.tolist() == [4, 4]


@pytest.mark.parametrize("seen", [0.0, 0.01, 0.9])
@pytest.mark.parametrize("value", [nan, inf])
def test_a_size_that_is_not_finite_where_an_object_is_found_is_refused_and_the_state_stays(seen, value):
    propagator, _ = after(ADAPTIVE, [scene((12, 12, 0.9), (5, 20, 0.6))] * 3)
    before = state(propagator)
    with pytest.raises(InvalidArrayError, match=r"size is not finite at \(row, column\) \(12, 12\)"):
        propagator.update(scene((12, 12, seen, value)))
    assert state(propagator) == before
    unused = scene((12, 12, 0.9), (12, 13, 0.0, value), (0, 0, 0.01, value))
    assert propagator.update(unused).lengths.tolist() == [4, 4]


def test_a_frame_of_another_shape_is_refused_until_reset():
    propagator, _ = after(ADAPTIVE, [scene((12, 12, 0.9))] * 3)
    with pytest.raises(InvalidArrayError, match=r"changed from .* call reset\(\)"):
        propagator.update(scene((12, 12, 0.9), grid=(24, 30)))
    assert propagator.update(scene((12, 12, 0.9))).lengths.tolist() == [4]
    propagator.reset()
    assert propagator.update(scene((12, 12, 0.9), grid=(24, 30))).lengths.tolist() == [1]

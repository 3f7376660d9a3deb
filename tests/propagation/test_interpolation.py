"""The interpolation baseline equals equation 11 written out, and differs from the special case where it should."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidArrayError
from heatprop.propagation import DecodingConfig, HeatmapPropagator, PropagationConfig, decode
from heatprop.types import HeadOutput
from reference.interpolation import HeatmapInterpolator
from reference.propagation import DenseInterpolator
from same_detections import assert_same_detections


def output_of(*objects, grid=(9, 9), side=3.0):
    """Return what a network says of objects (row, column, score) in one class."""
    heatmap = np.zeros((1, *grid), np.float32)
    for row, column, score in objects:
        heatmap[0, row, column] = score
    return HeadOutput(heatmap, np.full((2, *grid), side))


@st.composite
def videos(draw):
    """A few frames with ties, plateaus and empty maps among them, and sizes of two forms."""
    classes, height, width = draw(st.sampled_from([(1, 1, 1), (1, 6, 8), (3, 5, 7)]))
    components = draw(st.sampled_from([2, 4]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["ties", "smooth", "sparse", "empty"]))
    with_offset = draw(st.booleans())
    frames = []
    for _ in range(draw(st.integers(1, 4))):
        shape = (classes, height, width)
        heatmap = {
            "ties": random.choice([0, 0.05, 0.25, 0.5, 1], shape),
            "smooth": random.random(shape) ** 2,
            "sparse": random.random(shape) * (random.random(shape) < 0.05),
            "empty": np.zeros(shape),
        }[kind]
        size = random.uniform(0, 6, (components, height, width)).astype(np.float32)
        offset = random.random((2, height, width)).astype(np.float32) if with_offset else None
        frames.append((heatmap.astype(np.float32), size, offset))
    return frames


configs = st.builds(
    DecodingConfig,
    score_threshold=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    max_detections=st.sampled_from([1, 3, 100]),
    nms_iou=st.sampled_from([0.0, 0.3, 1.0]),
)


@given(videos(), configs)
def test_it_equals_equation_11_written_out(frames, config):
    interpolator, dense = HeatmapInterpolator(config), DenseInterpolator(config)
    for heatmap, size, offset in frames:
        found = interpolator.update(HeadOutput(heatmap, size, offset))
        wanted = dense.update(heatmap, size, offset)
        assert found.labels.tolist() == [cell[0] for cell, _, _ in wanted]
        np.testing.assert_allclose(found.scores, [score for _, score, _ in wanted], rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.boxes, np.reshape([box for _, _, box in wanted], (-1, 4)), atol=1e-4)
        assert (found.lengths == 1).all()


@given(videos(), configs)
def test_the_first_frame_is_decoded_as_the_network_says(frames, config):
    output = HeadOutput(*frames[0])
    found = HeatmapInterpolator(config).update(output)
    alone = decode(
        output,
        score_threshold=config.score_threshold,
        max_detections=config.max_detections,
        nms_iou=config.nms_iou,
    )
    assert_same_detections(found, alone)


# against the special case of propagation

still = st.lists(st.tuples(*[st.floats(0.1, 1)] * 4), min_size=1, max_size=5)


@given(still)
def test_on_objects_that_stay_the_special_case_gives_the_same(scores):
    cells = [(1, 1), (1, 7), (7, 1), (7, 7)]
    everywhere, special = HeatmapInterpolator(), HeatmapPropagator(PropagationConfig.interpolation())
    for side, values in enumerate(scores, 2):
        output = output_of(*((*cell, value) for cell, value in zip(cells, values, strict=True)), side=float(side))
        found, wanted = special.update(output), everywhere.update(output)
        np.testing.assert_array_equal(found.scores, wanted.scores)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-5)


def test_a_new_object_gets_half_its_score_here_and_all_of_it_there():
    frames = [output_of(), output_of((4, 4, 0.8))]
    everywhere, special = HeatmapInterpolator(), HeatmapPropagator(PropagationConfig.interpolation())
    assert [everywhere.update(frame).scores.tolist() for frame in frames] == [[], [np.float32(0.4)]]
    assert [special.update(frame).scores.tolist() for frame in frames] == [[], [np.float32(0.8)]]


def test_an_object_that_moves_leaves_a_ghost_in_both_and_is_halved_here_only():
    frames = [output_of((4, 2, 0.8)), output_of((4, 6, 0.8))]
    for baseline, wanted in (
        (HeatmapInterpolator(), [0.4, 0.4]),
        (HeatmapPropagator(PropagationConfig.interpolation()), [0.8, 0.4]),
    ):
        found = [baseline.update(frame) for frame in frames][1]
        assert found.scores.tolist() == pytest.approx(wanted)


def test_what_was_no_detection_counts_here_and_not_there():
    # 0.04 is below the threshold of a detection in the first frame, and so not carried by the special case.
    frames = [output_of((4, 4, 0.04)), output_of((4, 4, 0.5))]
    everywhere, special = HeatmapInterpolator(), HeatmapPropagator(PropagationConfig.interpolation())
    assert [everywhere.update(frame).scores.tolist() for frame in frames][1] == pytest.approx([0.27])
    assert [special.update(frame).scores.tolist() for frame in frames][1] == pytest.approx([0.5])


def test_the_special_case_is_the_limit_of_large_beta():
    frames = [output_of((4, 4, 0.8)), output_of((4, 4, 0.2))]
    large = HeatmapPropagator(PropagationConfig(radius=0, alpha=0.5, beta=1e9, carries="network"))
    exact = HeatmapPropagator(PropagationConfig.interpolation())
    assert exact.config.beta == inf
    for frame in frames:
        np.testing.assert_allclose(large.update(frame).scores, exact.update(frame).scores, atol=1e-6)


# state and bad input


def test_a_reset_forgets_and_the_callers_arrays_may_change():
    interpolator = HeatmapInterpolator()
    first = output_of((4, 4, 0.8))
    interpolator.update(first)
    first.heatmap[:] = 0
    assert interpolator.update(output_of((4, 4, 0.2))).scores == pytest.approx([0.5])
    interpolator.reset()
    assert interpolator.update(output_of((1, 1, 0.2), grid=(3, 5))).scores == pytest.approx([0.2])


def test_a_frame_of_another_shape_is_refused_and_the_state_stays():
    interpolator = HeatmapInterpolator()
    interpolator.update(output_of((4, 4, 0.8)))
    with pytest.raises(InvalidArrayError, match=r"changed from .* call reset\(\)"):
        interpolator.update(output_of((4, 4, 0.2), grid=(8, 9)))
    assert interpolator.update(output_of((4, 4, 0.2))).scores == pytest.approx([0.5])


@pytest.mark.parametrize("value", [np.nan, -0.5, 7.0])
def test_a_heatmap_that_holds_no_probabilities_is_refused_with_the_cell(value):
    interpolator = HeatmapInterpolator()
    interpolator.update(output_of((4, 4, 0.8)))
    with pytest.raises(InvalidArrayError, match=r"\(0, 2, 3\)"):
        interpolator.update(output_of((2, 3, value)))
    assert interpolator.update(output_of((4, 4, 0.2))).scores == pytest.approx([0.5])

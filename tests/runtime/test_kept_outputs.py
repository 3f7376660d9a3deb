"""What is kept of an output, and how far it is off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heatprop.errors import InvalidArrayError
from heatprop.propagation import decode
from heatprop.runtime.kept_outputs import (
    SCORE_ERROR,
    SIZE_ERROR,
    SparseOutput,
    check_sparse,
    sparsify,
)
from heatprop.types import HeadOutput


@st.composite
def outputs(draw: st.DrawFn) -> HeadOutput:
    """Draw outputs of both box forms, with and without offsets: mostly empty, flat, or any numbers."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7)))
    components, grid = draw(st.sampled_from([2, 4])), shape[1:]
    near = [float(np.float32(score)) for score in (0.0, 0.001, 0.01, 0.5, 1.0)]
    scores = st.sampled_from(near) | st.floats(0, 1, width=32)
    numbers = st.floats(-300, 300, width=32)
    heatmap = draw(arrays(np.float32, shape, elements=scores, fill=st.sampled_from([0.0, 0.25])))
    size = draw(arrays(np.float32, (components, *grid), elements=numbers))
    offset = draw(st.none() | arrays(np.float32, (2, *grid), elements=st.floats(-1, 2, width=32)))
    return HeadOutput(heatmap, size, offset)


@given(outputs(), st.sampled_from([0.0, 0.001, 0.01, 0.3, 1.0]))
def test_what_reaches_the_floor_is_kept_within_the_stated_error(output: HeadOutput, floor: float) -> None:
    again = sparsify(output, floor).dense()
    kept = output.heatmap >= np.float32(floor)
    assert np.abs(again.heatmap - output.heatmap)[kept].max(initial=0) <= SCORE_ERROR
    assert not again.heatmap[~kept].any()
    places = kept.any(axis=0)
    heads = [(output.size, again.size, 0.0)]
    if output.offset is None:
        assert again.offset is None
    else:
        assert again.offset is not None
        heads.append((output.offset, again.offset, 0.5))
    for before, after, missing in heads:
        error = np.abs(after - before)[:, places]
        assert (error <= np.maximum(np.abs(before[:, places]) * SIZE_ERROR, 2.0**-25)).all()
        assert (after[:, ~places] == missing).all()


@given(outputs())
def test_a_kept_output_is_kept_again_without_any_loss(output: HeadOutput) -> None:
    once = sparsify(output, 0.01)
    twice = sparsify(once.dense(), 0.01)
    if not (once.scores < 656).any():  # 0.01 lies between two steps, so the lowest may round to below it
        np.testing.assert_array_equal(once.cells, twice.cells)
        np.testing.assert_array_equal(once.scores, twice.scores)
        np.testing.assert_array_equal(once.sizes, twice.sizes)


@given(outputs())
def test_the_order_of_scores_stays(output: HeadOutput) -> None:
    kept = sparsify(output, 0.0)
    values = output.heatmap.reshape(-1)[kept.cells]
    order = np.argsort(values, kind="stable")
    assert (np.diff(kept.scores[order].astype(np.int64)) >= 0).all()


def test_zero_and_one_and_empty_maps_are_exact() -> None:
    heatmap = np.zeros((2, 3, 4))
    heatmap[1, 2, 3] = 1.0
    kept = sparsify(HeadOutput(heatmap, np.ones((2, 3, 4))), 0.01)
    assert kept.cells.tolist() == [23]
    np.testing.assert_array_equal(kept.dense().heatmap, heatmap.astype(np.float32))
    nothing = sparsify(HeadOutput(np.zeros((2, 3, 4)), np.ones((2, 3, 4))), 0.01)
    assert len(nothing.cells) == len(nothing.sizes) == 0
    assert len(decode(nothing.dense())) == 0


def test_sizes_that_no_half_can_hold_stay_finite_and_broken_ones_broken() -> None:
    heatmap = np.full((1, 1, 2), 0.5)
    size = np.array([[[1e9, np.nan]], [[-1e9, 2.0]]])
    again = sparsify(HeadOutput(heatmap, size), 0.0).dense()
    assert again.size[:, 0, 0].tolist() == [65504.0, -65504.0]
    assert np.isnan(again.size[0, 0, 1])


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5])
def test_a_heatmap_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(InvalidArrayError, match="heatmap is"):
        sparsify(HeadOutput(np.full((1, 2, 2), value), np.ones((2, 2, 2))), 0.01)


@pytest.mark.parametrize(
    ("cells", "scores", "sizes"),
    [
        ([1, 1], [5, 5], 1),
        ([2, 1], [5, 5], 2),
        ([0, 12], [5, 5], 2),
        ([-1, 1], [5, 5], 2),
        ([0, 1], [5], 2),
        ([0, 1], [5, 5], 1),
    ],
)
def test_an_output_that_does_not_fit_together_is_refused(cells: list[int], scores: list[int], sizes: int) -> None:
    output = SparseOutput(
        (2, 2, 3), np.array(cells), np.array(scores, np.uint16), np.ones((sizes, 2), np.float16), None
    )
    with pytest.raises(InvalidArrayError):
        check_sparse(output)

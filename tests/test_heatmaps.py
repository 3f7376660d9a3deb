import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import (
    cells_above,
    local_maxima,
    maxima_among_few,
    maxima_among_many,
    one_per_plateau,
    unravel,
)
from reference import peaks as slow

values = st.sampled_from(np.float32([0.0, 0.1, 0.5, 0.5000001, 1.0]).tolist()) | st.floats(0, 1, width=32)
maps = arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=7), elements=values)
windows = st.sampled_from([3, 5, 7, 11])


@given(maps, windows, st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 2**32 - 1))
def test_peaks_equal_those_found_by_looking_at_every_cell(heatmap, window, threshold, seed):
    preference = np.random.default_rng(seed).integers(0, 3, heatmap.shape).astype(float)
    cells = local_maxima(heatmap, cells_above(heatmap, threshold), window)
    cells = one_per_plateau(cells, heatmap, window, [preference.reshape(-1)[cells]])
    found = list(zip(*(axis.tolist() for axis in unravel(cells, heatmap.shape)), strict=True))
    assert found == slow.peaks(heatmap, window, threshold, lambda cell: (preference[cell],))


@given(maps, windows, st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_looking_at_single_cells_and_at_whole_maps_is_the_same(heatmap, window, threshold):
    cells = cells_above(heatmap, threshold)
    few, many = (find(heatmap, cells, window) for find in (maxima_among_few, maxima_among_many))
    assert few.tolist() == many.tolist() == local_maxima(heatmap, cells, window).tolist()


@given(maps, windows)
def test_every_map_has_a_peak_at_its_largest_value(heatmap, window):
    cells = local_maxima(heatmap, cells_above(heatmap, 0.0), window)
    cells = one_per_plateau(cells, heatmap, window)
    assert heatmap.reshape(-1)[cells].max() == heatmap.max()


def test_a_plateau_is_one_peak_however_long_it_is():
    plateau = np.full((2, 20, 30), 0.5, np.float32)
    cells = one_per_plateau(local_maxima(plateau, cells_above(plateau, 0.05), 3), plateau, 3)
    assert cells.tolist() == [0, 600]


@given(arrays(np.float32, (2, 3, 4), elements=st.floats(width=32)))
def test_exactly_the_maps_with_a_value_outside_0_to_1_are_refused(heatmap):
    if np.all((heatmap >= 0) & (heatmap <= 1)):
        assert cells_above(heatmap, 0.5).tolist() == np.flatnonzero(heatmap >= 0.5).tolist()
    else:
        with pytest.raises(InvalidArrayError, match=r"at \(class, row, column\)"):
            cells_above(heatmap, 0.5)

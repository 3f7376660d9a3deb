import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from heatprop.errors import InvalidArrayError
from heatprop.heatmaps import (
    Known,
    cells_above,
    far_maxima,
    find_peaks,
    local_maxima,
    near_maxima,
    one_per_plateau,
    peaks_of_classes,
    strongest,
    unravel,
)
from heatprop.propagation import HeatmapPropagator, PropagationConfig, decode
from heatprop.types import HeadOutput
from reference import peaks as slow
from reference.adaptation import LoopingFollower
from reference.propagation import DensePropagator

values = st.sampled_from(np.float32([0.0, 0.1, 0.5, 0.5000001, 1.0]).tolist()) | st.floats(0, 1, width=32)
maps = arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=7), elements=values)
small_windows = st.sampled_from([3, 5, 7, 11])
windows = small_windows | st.just(257)
thresholds = st.sampled_from([0.0, 0.1, 0.5, 1.0])


def as_cells(found, shape):
    return list(zip(*(axis.tolist() for axis in unravel(found, shape)), strict=True))


def known_of(heatmap, seed, share):
    """Know a share of the cells: their network's value is near the heatmap's, and often the same."""
    random = np.random.default_rng(seed)
    cells = np.flatnonzero(random.random(heatmap.size) < share)
    network = heatmap.reshape(-1)[cells] + random.choice([-0.1, 0, 0, 0.1], len(cells)).astype(np.float32)
    return Known(cells, network, random.integers(0, 3, len(cells)))


def preference_by(known, heatmap):
    places = {np.unravel_index(cell, heatmap.shape): place for place, cell in enumerate(known.cells.tolist())}

    def preference(cell):
        place = places.get(cell)
        if place is None:
            return -float(heatmap[cell]), 0
        return -float(known.network[place]), int(known.distances[place])

    return preference


@given(maps, windows, thresholds, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_peaks_equal_those_found_by_looking_at_every_cell(heatmap, window, threshold, seed, share):
    known = known_of(heatmap, seed, share)
    found = find_peaks(heatmap, threshold, window, known)
    wanted = slow.peaks(heatmap, window, threshold, preference_by(known, heatmap))
    assert as_cells(found, heatmap.shape) == wanted
    filtered = peaks_of_classes(heatmap, heatmap >= np.float32(threshold), window, known)
    assert as_cells(filtered, heatmap.shape) == wanted


@given(maps, windows, thresholds)
def test_without_more_knowledge_the_lower_index_stays(heatmap, window, threshold):
    assert as_cells(find_peaks(heatmap, threshold, window), heatmap.shape) == slow.peaks(
        heatmap, window, threshold
    )


LABEL, Y, X = np.mgrid[:6, :40, :50]
NOISE = np.random.default_rng(0).random(X.shape)
FLAT = {
    "constant": np.full(X.shape, 0.5),
    "at the threshold": np.full(X.shape, 0.05),
    "a level a class": (LABEL + 1) / 7,
    "rows": 0.3 + 0.4 * (Y % 2),
    "columns": 0.3 + 0.4 * (X % 3 == 0),
    "checkerboard": 0.3 + 0.4 * ((X + Y) % 2),
    "blocks": ((X // 5 + Y // 7) % 4) / 4,
    "4 bits": np.round(NOISE * 15) / 15,
    "8 bits": np.round(NOISE * 255) / 255,
    "one flat class of many": np.where(LABEL == 3, 0.5, 0.01),
}


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("window", [3, 5])
def test_flat_and_quantised_maps_give_what_single_cells_give(name, window):
    heatmap = FLAT[name].astype(np.float32)
    known = known_of(heatmap, 3, 0.02)
    found = find_peaks(heatmap, 0.05, window, known)
    assert as_cells(found, heatmap.shape) == slow.peaks(heatmap, window, 0.05, preference_by(known, heatmap))


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("form", [PropagationConfig.paper(), PropagationConfig.adaptive()])
def test_updates_on_flat_and_quantised_maps_equal_the_loops(name, form):
    fast = HeatmapPropagator(form)
    loops = (DensePropagator if form.adaptation is None else LoopingFollower)(form)
    heatmap = FLAT[name][:2, :16, :20].astype(np.float32)
    size = np.full((2, 16, 20), 3, np.float32)
    for level in (1.0, 0.9, 0.9):
        frame = heatmap * np.float32(level)
        found, wanted = fast.update(HeadOutput(frame, size)), loops.update(frame, size)
        assert found.labels.tolist() == [each["label"] for each in wanted]
        assert found.lengths.tolist() == [each["length"] for each in wanted]
        np.testing.assert_allclose(found.scores, [each["score"] for each in wanted], rtol=0, atol=1e-6)
        boxes = np.reshape([each["box"] for each in wanted], (-1, 4))
        np.testing.assert_allclose(found.boxes, boxes, rtol=0, atol=1e-4)


def test_few_and_many_cells_in_one_map_are_found_together():
    random = np.random.default_rng(2)
    heatmap = random.random((40, 64, 64), np.float32) * np.float32(0.04)
    heatmap[5:9] = 0.5
    heatmap[20, 10, 10:13] = 0.7
    heatmap[39] = random.choice([0.1, 0.2], (64, 64))
    cells = local_maxima(heatmap, cells_above(heatmap, 0.05), 5)
    assert find_peaks(heatmap, 0.05, 5).tolist() == one_per_plateau(cells, heatmap, 5).tolist()


@given(
    arrays(
        np.float32, st.integers(1, 200), elements=st.sampled_from(np.float32([0.1, 0.2, 0.2000001, 0.9]).tolist())
    ),
    st.integers(1, 20),
)
@example(np.full(200, 0.5, np.float32), 3)
def test_the_strongest_are_those_of_the_whole_order(heatmap, count):
    cells = np.flatnonzero(heatmap > 0.15) if (heatmap > 0.15).any() else np.arange(len(heatmap))
    wanted = sorted(cells.tolist(), key=lambda cell: -heatmap[cell])[:count]  # stable
    assert strongest(cells, heatmap, count).tolist() == wanted


def test_a_flat_map_of_many_classes_is_decoded_class_by_class():
    output = HeadOutput(np.full((10_000, 6, 5), 0.4, np.float32), np.full((2, 6, 5), 2, np.float32))
    found = decode(output, max_detections=1000)
    assert found.labels.tolist() == list(range(1000))
    assert (found.boxes == (-1, -1, 1, 1)).all()


@given(arrays(np.float32, (2, 3, 4), elements=st.floats(width=32)))
def test_exactly_the_maps_with_a_value_outside_0_to_1_are_refused(heatmap):
    if np.all((heatmap >= 0) & (heatmap <= 1)):
        find_peaks(heatmap, 0.5, 3)
    else:
        with pytest.raises(InvalidArrayError, match=r"at \(class, row, column\)"):
            find_peaks(heatmap, 0.5, 3)


@given(maps, small_windows, thresholds, st.integers(0, 2**32 - 1))
def test_local_maxima_are_those_found_by_looking_at_every_cell(heatmap, window, threshold, seed):
    preference = np.random.default_rng(seed).integers(0, 3, heatmap.shape).astype(float)
    cells = local_maxima(heatmap, cells_above(heatmap, threshold), window)
    cells = one_per_plateau(cells, heatmap, window, [preference.reshape(-1)[cells]])
    found = list(zip(*(axis.tolist() for axis in unravel(cells, heatmap.shape)), strict=True))
    assert found == slow.peaks(heatmap, window, threshold, lambda cell: (preference[cell],))


@given(maps, small_windows, thresholds)
def test_looking_at_single_cells_and_at_whole_maps_is_the_same(heatmap, window, threshold):
    cells = cells_above(heatmap, threshold)
    one_by_one = far_maxima(heatmap, near_maxima(heatmap, cells), window)
    assert one_by_one.tolist() == local_maxima(heatmap, cells, window).tolist()


@given(maps, small_windows)
def test_every_map_has_a_peak_at_its_largest_value(heatmap, window):
    cells = local_maxima(heatmap, cells_above(heatmap, 0.0), window)
    cells = one_per_plateau(cells, heatmap, window)
    assert heatmap.reshape(-1)[cells].max() == heatmap.max()


def test_a_plateau_is_one_peak_however_long_it_is():
    plateau = np.full((2, 20, 30), 0.5, np.float32)
    cells = one_per_plateau(local_maxima(plateau, cells_above(plateau, 0.05), 3), plateau, 3)
    assert cells.tolist() == [0, 600]


@given(arrays(np.float32, (2, 3, 4), elements=st.floats(width=32)))
def test_cells_are_listed_of_exactly_the_maps_within_0_to_1(heatmap):
    if np.all((heatmap >= 0) & (heatmap <= 1)):
        assert cells_above(heatmap, 0.5).tolist() == np.flatnonzero(heatmap >= 0.5).tolist()
    else:
        with pytest.raises(InvalidArrayError, match=r"at \(class, row, column\)"):
            cells_above(heatmap, 0.5)

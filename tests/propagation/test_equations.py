"""Each equation equals its sum, cell by cell, as the paper writes it."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.propagation import GridEvidence
from heatprop.propagation.equations import (
    balance,
    balance_at_once,
    extend,
    inherit_lengths,
    inherit_sizes,
    long_term,
    mix_sizes,
    overlay,
    past_weights,
)
from heatprop.types import HeadOutput


@st.composite
def tracklets(draw):
    """Tracklets on a small map, some on its border, with few distinct scores; by falling score."""
    shape = draw(st.sampled_from([(1, 1, 1), (2, 5, 7), (3, 9, 9)]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sites = random.permutation(np.prod(shape))[: draw(st.integers(0, 8))]
    scores = np.sort(random.choice([0, 0.1, 0.5, 0.5, 1], len(sites)))[::-1].astype(np.float32)
    return shape, sites, scores, random.integers(1, 9, len(sites)), random.random((len(sites), 2), np.float32)


@given(tracklets(), st.integers(0, 4))
def test_2_to_4_are_the_maxima_of_the_extended_heatmaps_and_what_comes_with_them(carried, radius):
    shape, sites, scores, lengths, sizes = carried
    seen = GridEvidence(HeadOutput(np.zeros(shape), np.zeros((2, *shape[1:]))))
    labels, centres = seen.places(sites)
    near = seen.near(labels, centres, radius)
    won, rows, columns = overlay(extend(scores, near.within), near.sites)
    for site, (c, y, x) in enumerate(np.ndindex(shape)):
        h = [
            float(score) if c == label and abs(x - cx) <= radius and abs(y - cy) <= radius else 0.0
            for score, label, (cx, cy) in zip(scores, labels.tolist(), centres.tolist(), strict=True)
        ]
        place = np.flatnonzero(won == site)
        if max(h, default=0.0) == 0:
            assert len(place) == 0
            continue
        (row,) = rows[place]
        winner = h.index(max(h))
        assert scores[row] == max(h)
        assert inherit_lengths(lengths, rows[place]).tolist() == [lengths[winner]]
        assert inherit_sizes(sizes, rows[place]).tolist() == [sizes[winner].tolist()]
        cx, cy = centres[winner]
        assert near.distances[row, columns[place]].tolist() == [(x - cx) ** 2 + (y - cy) ** 2]


def test_nothing_is_inherited_where_nothing_is_carried():
    assert inherit_lengths(np.array([7, 3]), np.array([-1, 1, -1])).tolist() == [0, 3, 0]
    assert inherit_lengths(np.empty(0, np.int64), np.array([-1])).tolist() == [0]


def test_5_weighs_the_past_by_beta_times_length():
    network, carried, lengths = np.array([0.1, 0.2]), np.array([0.9, 0.0]), np.array([20, 0])
    assert long_term(network, carried, lengths, 2.0).tolist() == pytest.approx([(0.1 + 36) / 41, 0.2])
    assert long_term(network, carried, lengths, inf).tolist() == [0.9, 0.2]


def test_6_gives_the_present_its_share():
    assert balance(np.array([0.1]), np.array([0.9]), 0.98).tolist() == pytest.approx([0.02 * 0.1 + 0.98 * 0.9])


@given(
    st.floats(0, 1, width=32),
    st.floats(0, 1, width=32),
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1e6) | st.just(inf),
)
def test_5_and_6_at_once_are_5_and_then_6(network, carried, length, alpha, beta):
    lengths, network, carried = np.array([length]), np.float32([network]), np.float32([carried])
    past = long_term(network.astype(np.float64), carried.astype(np.float64), lengths, beta)
    wanted = balance(network.astype(np.float64), past, alpha)
    found = balance_at_once(network, carried, past_weights(lengths, alpha, beta))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("numbers", [2, 4])
def test_7_weighs_sizes_by_score(numbers):
    own, past = np.full((2, numbers), 3, np.float32), np.full((2, numbers), 9, np.float32)
    mixed = mix_sizes(np.float32([0.5, 0.0]), own, np.float32([0.25, 0.8]), past)
    assert mixed.dtype == np.float32
    assert mixed.tolist() == [[5.0] * numbers, [9.0] * numbers]

"""Equations 2 to 7 of the paper, in its order: this table is the index.

| equation | function | runs |
| --- | --- | --- |
| 1, a box around a centre | `heatprop.boxes.boxes_around` | yes |
| 2, scores extended over squares | `extend` | yes |
| 3 and 4, the tracklet of the maximum | `overlay` | yes |
| 3, its length | `inherit_lengths` | yes |
| 4, its size | `inherit_sizes` | yes |
| 5, the long-term score | `long_term` | no: the reference, as printed |
| 6, the balanced score | `balance` | no: the reference, as printed |
| 5 and 6 fused | `past_weights`, then `balance_at_once` | yes; tests hold them to the two above |
| 7, sizes averaged by score | `mix_sizes` | yes |

Frame t is the last one, t + 1 the present. The paper writes whole maps; here arrays hold only what is not 0 in
them: tracklets ``i`` in rows, the sites ``xyz`` near each of them in columns, or one after the other once they are
overlaid. `docs/method.md` has the equations in print and settles what the paper leaves open.
"""

from __future__ import annotations

from math import isinf
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heatprop.types import FloatArray, IntArray

DoubleArray: TypeAlias = NDArray[np.float64]


def extend(scores: FloatArray, within: NDArray[np.bool_]) -> FloatArray:
    """Extend the score of each tracklet over the square around it (equation 2).

    Args:
        scores: the peak values of the tracklets, float32 ``(N,)``.
        within: of the tracklet's class, at most P columns and P rows away: for each tracklet and site near it,
            bool ``(N, K)``.

    Returns:
        h, float32 ``(N, K)``.
    """
    return np.where(within, scores[:, None], np.float32(0))


def overlay(extended: FloatArray, sites: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Keep the largest extended score at each site: the maximum that equations 3 and 4 are about.

    Args:
        extended: h, float32 ``(N, K)``, with the rows by falling score; of equal scores the first row wins.
        sites: which site each value is for, int64 ``(N, K)``.

    Returns:
        The sites at which it is above 0, ascending, each once; the row that wins there (i in equations 3 and 4);
        and its column; each int64 ``(M,)``.

    >>> square = np.array([[1, 2], [2, 3]])
    >>> overlay(np.array([[0.9, 0.9], [0.4, 0.4]], np.float32), square)
    (array([1, 2, 3]), array([0, 0, 1]), array([0, 1, 1]))
    """
    # Sorted by site and, within a site, by row: the first of each site has won.
    low, bits = sites.shape[1].bit_length(), sum(side.bit_length() for side in sites.shape)
    places = (np.arange(len(sites)) << low)[:, None] | np.arange(sites.shape[1])
    keys = np.sort(((sites << bits) | places)[extended > 0])
    won = keys >> bits
    is_first = np.ones(len(won), np.bool_)
    np.not_equal(won[1:], won[:-1], out=is_first[1:])
    place = keys[is_first] & ((1 << bits) - 1)
    return won[is_first], place >> low, place & ((1 << low) - 1)


def inherit_lengths(lengths: IntArray, sources: IntArray) -> IntArray:
    """Return the tracklet length that sites inherit (equation 3).

    Args:
        lengths: of the tracklets, int64 ``(N,)``.
        sources: the tracklet that won each site, -1 where nothing is carried; int64 ``(M,)``.

    Returns:
        The length, 0 where nothing is carried; int64 ``(M,)``.
    """
    return np.append(lengths, 0)[sources]


def inherit_sizes(sizes: FloatArray, sources: IntArray) -> FloatArray:
    """Return the size that sites inherit (equation 4).

    Args:
        sizes: of the tracklets, float32 ``(N, 2)`` or ``(N, 4)``.
        sources: the tracklet that won each site, int64 ``(M,)``.

    Returns:
        float32, like `sizes`.
    """
    return sizes[sources]


def long_term(network: DoubleArray, carried: DoubleArray, lengths: IntArray, beta: float) -> DoubleArray:
    """Average the network's scores with what is carried, by the length of the tracklet (equation 5).

    The reference, as printed; what runs is `balance_at_once`.

    Args:
        network: the network's scores at some sites, float64 ``(M,)``.
        carried: the carried score there, 0 where nothing is carried; float64 ``(M,)``.
        lengths: the inherited length there, 0 where nothing is carried; int64 ``(M,)``.
        beta: how strongly the length counts; for infinity the limit is taken.

    Returns:
        float64 ``(M,)``.
    """
    if isinf(beta):
        return np.where(lengths > 0, carried, network)
    return (network + beta * carried * lengths) / (1.0 + beta * lengths)


def balance(network: DoubleArray, past: DoubleArray, alpha: float) -> DoubleArray:
    """Balance the network's scores with the long-term ones (equation 6).

    The reference, as printed; what runs is `balance_at_once`.

    Args:
        network: the network's scores at some sites, float64 ``(M,)``.
        past: the long-term scores there, float64 ``(M,)``.
        alpha: share of the past.

    Returns:
        float64 ``(M,)``.
    """
    return (1.0 - alpha) * network + alpha * past


def past_weights(lengths: NDArray[Any], alpha: float, beta: float) -> DoubleArray:
    """Return how much the past weighs in equations 5 and 6 taken together, for tracklets of such lengths.

    Both are weighted means of the network's and the carried score, so that ``network + weight * (carried -
    network)`` is both in one step: see `balance_at_once`.

    Returns:
        ``alpha * b / (1 + b)`` with ``b = beta * length``, float64 ``(N,)``; also for infinite `beta`.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # beyond all floats it is what it is for infinity
        past = beta * lengths
        weights: DoubleArray = alpha * np.where(np.isinf(past), 1.0, past / (1.0 + past))
    return weights


def balance_at_once(network: FloatArray, carried: FloatArray | DoubleArray, weights: DoubleArray) -> FloatArray:
    """Do what `long_term` and `balance` do, in one step (equations 5 and 6), at sites where something is carried.

    Args:
        network: the network's scores there, float32 ``(M,)``.
        carried: the carried ones, float32 or float64 ``(M,)``.
        weights: of the past there, float64 ``(M,)``; see `past_weights`.

    Returns:
        The balanced scores, float32 ``(M,)``.
    """
    values = network.astype(np.float64)
    values += weights * (carried - values)
    return values.astype(np.float32)


def mix_sizes(
    network: FloatArray | DoubleArray, sizes: FloatArray, carried: FloatArray | DoubleArray, past: FloatArray
) -> FloatArray:
    """Average the network's sizes with the carried ones, by score (equation 7).

    Args:
        network: the network's scores at some sites, before they were balanced, ``(M,)``.
        sizes: its sizes there, float32 ``(M, 2)`` or ``(M, 4)``.
        carried: the carried scores there, ``(M,)``, each above 0.
        past: the carried sizes there, float32, like `sizes`.

    Returns:
        float32, like `sizes`.
    """
    own, other = network[:, None].astype(np.float64), carried[:, None].astype(np.float64)
    mixed: DoubleArray = (own * sizes + other * past) / (own + other)
    return mixed.astype(np.float32)

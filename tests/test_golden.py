"""Numbers computed with other implementations: a direct float64 evaluation of the paper, and CenterNet itself.

`golden/propagation.npz`: two videos of 6 frames, 5 classes and 32 x 40 cells, and what equations 1 to 7 give for
P of 0 to 3 and three pairs of alpha and beta; rows of (frame, label, x cell, y cell, length, score, box in cells).
`golden/decoding.npz`: the raw output of CenterNet's ResNet-18 under artificial weights, cut to the classes that
occur, and the 100 rows (box in cells, score, class) of its own decoding.
"""

from math import inf
from pathlib import Path

import numpy as np
import pytest

from heatprop.propagation import HeatmapPropagator, PropagationConfig, decode
from heatprop.types import HeadOutput

GOLDEN = Path(__file__).parent / "golden"
ALPHA_BETA = {"default": (0.98, 2.0), "half_large_beta": (0.5, 1000.0), "eq5_only_small_beta": (1.0, 0.5)}


@pytest.mark.parametrize("video", [0, 1])
@pytest.mark.parametrize("radius", [0, 1, 2, 3])
@pytest.mark.parametrize("setting", ALPHA_BETA)
def test_propagation_gives_the_golden_detections(video, radius, setting):
    alpha, beta = ALPHA_BETA[setting]
    with np.load(GOLDEN / "propagation.npz") as golden:
        rows = golden[f"P{radius}_{setting}_{video}"]
        outputs = zip(*(golden[f"{head}_{video}"] for head in ("heatmap", "size", "offset")), strict=True)
        propagator = HeatmapPropagator(PropagationConfig(radius=radius, alpha=alpha, beta=beta))
        for frame, output in enumerate(outputs):
            found = propagator.update(HeadOutput(*output))
            wanted = rows[rows[:, 0] == frame]
            assert len(found) == len(wanted)
            have = np.column_stack([found.labels, found.lengths, found.scores, found.boxes])
            want = wanted[:, [1, 4, 5, 6, 7, 8, 9]]
            # Sets of detections: the order among equal scores is nobody's.
            have, want = (table[np.lexsort(table[:, [3, 4, 0]].T)] for table in (have, want))
            np.testing.assert_array_equal(have[:, :2], want[:, :2])
            np.testing.assert_allclose(have[:, 2], want[:, 2], rtol=0, atol=1e-5)
            np.testing.assert_allclose(have[:, 3:], want[:, 3:], rtol=0, atol=1e-4)


def test_decoding_gives_centernets_own_100_detections():
    with np.load(GOLDEN / "decoding.npz") as golden:
        heatmap = 1 / (1 + np.exp(-golden["heatmap_logits"].astype(np.float64)))
        output = HeadOutput(heatmap, golden["size"], golden["offset"])
        wanted = golden["detections"]
    found = decode(output, score_threshold=0.0, max_detections=100, nms_iou=1.0)
    np.testing.assert_array_equal(found.labels, wanted[:, 5])
    np.testing.assert_allclose(found.scores, wanted[:, 4], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.boxes, wanted[:, :4], rtol=0, atol=1e-5)


def test_infinite_beta_is_the_limit_of_large_ones():
    random = np.random.default_rng(0)
    outputs = [HeadOutput(random.random((2, 8, 8)) ** 3, random.uniform(1, 5, (2, 8, 8))) for _ in range(4)]
    large, infinite = (HeatmapPropagator(PropagationConfig(beta=beta)) for beta in (1e12, inf))
    for output in outputs:
        a, b = large.update(output), infinite.update(output)
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_allclose(a.scores, b.scores, rtol=0, atol=1e-6)

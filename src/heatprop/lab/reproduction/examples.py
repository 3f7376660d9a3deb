"""The numbers of the examples in section 5.3 of the paper, computed by propagation itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from heatprop.propagation import HeatmapPropagator, PropagationConfig
from heatprop.types import HeadOutput

_DEFAULT = PropagationConfig(score_threshold=0.0)
_INFINITY = float("inf")


def scores_of(seen: Sequence[float], config: PropagationConfig) -> list[float]:
    """Return the scores of a still object for which the network's output is `seen`, one a frame."""
    propagator = HeatmapPropagator(config)
    scores = []
    for value in seen:
        heatmap = np.zeros((1, 3, 3), np.float32)
        heatmap[0, 1, 1] = value
        found = propagator.update(HeadOutput(heatmap, np.full((2, 3, 3), 2, np.float32), None))
        scores.append(float(found.scores.max(initial=0.0)))
    return scores


def examples() -> list[dict[str, Any]]:
    """Return what is said, the paper's numbers and ours, for JSON."""
    held = [0.9] * 20 + [0.1, 0.1]
    alone = scores_of(held, PropagationConfig(alpha=0.5, beta=_INFINITY, score_threshold=0.0))[-2:]
    weighted = scores_of(held, PropagationConfig(alpha=1.0, beta=2.0, score_threshold=0.0))[-2:]
    both = scores_of(held, _DEFAULT)[-2:]
    percents = (
        percent
        for percent in range(50, 101)
        if _rounded(
            scores_of(held, PropagationConfig(alpha=percent / 100, beta=_INFINITY, score_threshold=0.0))[-2:]
        )
        >= [0.88, 0.85]
    )
    needed = next(percents) / 100
    ours, theirs = (
        _frames_until(0.41, config)
        for config in (_DEFAULT, PropagationConfig(alpha=0.97, beta=_INFINITY, score_threshold=0.0))
    )
    return [
        _example(
            "An object of score 0.9 for 20 frames drops to 0.1 for two; equation 6 alone, alpha 0.5",
            "0.5 and 0.3",
            _pair(alone),
        ),
        _example("The same with equation 5 alone, beta 2", "0.88 and 0.86", _pair(weighted)),
        _example("The same with both, the default: alpha 0.98, beta 2", "not said", _pair(both)),
        _example(
            "Smallest alpha with which equation 6 alone comes as near (0.88, and 0.85 or more)",
            "0.97",
            f"{needed:.2f}",
        ),
        _example(
            "Frames until a false positive of 0.8 in one frame, then 0.1, fell to 0.4 (0.41 or less); default",
            "3",
            str(ours),
        ),
        _example("The same with equation 6 alone, alpha 0.97", "27", str(theirs)),
    ]


def _example(what: str, paper: str, here: str) -> dict[str, Any]:
    return {"what": what, "paper": paper, "here": here, "agrees": paper in (here, "not said")}


def _pair(scores: Sequence[float]) -> str:
    return " and ".join(f"{round(score, 2):g}" for score in scores)


def _rounded(scores: Sequence[float]) -> list[float]:
    return [round(score, 2) for score in scores]


def _frames_until(low: float, config: PropagationConfig) -> int:
    """Return how many frames after a false positive its score is `low` or less."""
    for frames in count(1):
        if scores_of([0.8] + [0.1] * frames, config)[-1] <= low:
            return frames
    raise AssertionError

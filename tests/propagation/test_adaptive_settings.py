"""The settings of the adaptive form, their ranges and defaults."""

from dataclasses import replace
from math import inf, nan

import pytest

from adaptive_scenes import ADAPTIVE, after, scene
from heatprop import VideoDetector
from heatprop.errors import InvalidConfigError
from heatprop.propagation import AdaptationConfig, HeatmapPropagator, PropagationConfig
from heatprop.propagation.adaptive import FollowedTracklets

SHARES = (
    "velocity",
    "min_iou",
    "second_chance",
    "support",
    "decay",
    "rising_weight",
    "boost",
    "best_decay",
    "leaving",
)
AMOUNTS = ("nearness", "max_length", "leaving_speed", "trust")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in SHARES for value in (-0.1, 1.1, inf, nan, True, "0.5", None)),
        *((name, value) for name in AMOUNTS for value in (-0.1, -inf, nan, True, "1", None)),
        *((name, value) for name in ("nearness", "trust") for value in (1000.1, inf)),
        *(("least_radius", value) for value in (-1, 0.5, nan, inf, True, "1", None)),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value_and_range(name, value):
    with pytest.raises(InvalidConfigError, match=f"^{name} is .* it must be"):
        AdaptationConfig(**{name: value})


def test_what_adapts_carries_balanced_scores_only():
    with pytest.raises(InvalidConfigError, match="adaptation goes with carries 'balanced' only"):
        replace(ADAPTIVE, carries="network")


@pytest.mark.parametrize("value", [True, "on", {"velocity": 0}, 0.5])
def test_something_else_than_settings_is_refused_at_once(value):
    with pytest.raises(InvalidConfigError, match=r"^adaptation is .* it must be an AdaptationConfig"):
        PropagationConfig(adaptation=value)
    with pytest.raises(InvalidConfigError, match=r"^propagation is .* give a PropagationConfig"):
        HeatmapPropagator(value)
    with pytest.raises(InvalidConfigError, match=r"^propagation is .* give a PropagationConfig"):
        VideoDetector(propagation=value)


def test_the_papers_forms_do_not_adapt():
    assert PropagationConfig.paper() == PropagationConfig()
    assert PropagationConfig.paper().adaptation is None
    assert PropagationConfig.interpolation().adaptation is None
    assert PropagationConfig.paper().peak_window == 5
    propagator, _ = after(PropagationConfig.paper(), [scene((12, 12, 0.9))])
    assert not isinstance(propagator.memory.tracklets, FollowedTracklets)


def test_adaptive_is_the_papers_setting_with_peaks_of_3_cells_and_adaptation():
    assert replace(ADAPTIVE, adaptation=None) == PropagationConfig.paper()
    assert ADAPTIVE.adaptation == AdaptationConfig()
    assert [replace(ADAPTIVE, radius=radius).peak_window for radius in range(4)] == [3] * 4

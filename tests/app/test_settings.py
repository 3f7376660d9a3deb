"""The settings of the page: what can be set, what is refused, and how a tuning is named."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_client import Client
from heatprop.app.settings import Tuning, alone_key, described_settings, threshold_of, tuning_of
from heatprop.errors import InvalidConfigError
from heatprop.propagation import AdaptationConfig, PropagationConfig


def values_of(setting: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return what a slider, a switch or a choice can send."""
    if setting["kind"] == "choice":
        return st.sampled_from(setting["choices"])
    if setting["kind"] == "switch":
        return st.booleans()
    steps = round((setting["max"] - setting["min"]) / setting["step"])
    whole = isinstance(setting["step"], int)
    values = st.integers(0, steps).map(lambda number: setting["min"] + number * setting["step"])
    return values if whole else values.map(lambda value: round(value, 6))


settings = st.fixed_dictionaries({}, optional={each["name"]: values_of(each) for each in described_settings()})


@given(settings)
def test_whatever_the_page_can_send_is_a_tuning_that_says_the_same_again(sent: dict[str, Any]) -> None:
    tuning = tuning_of(sent)
    again = tuning_of(tuning.to_json())
    assert (again, again.key) == (tuning, tuning.key)
    for name, value in sent.items():
        if name in ("form", "score_threshold"):
            assert tuning.to_json()[name] == value


@given(settings, settings)
def test_tunings_have_the_same_key_exactly_where_they_do_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = tuning_of(one), tuning_of(other)
    assert (first.key == second.key) == (first == second)


def test_every_public_setting_of_propagation_can_be_set() -> None:
    described = {each["name"] for each in described_settings()}
    assert {each.name for each in fields(AdaptationConfig)} <= described
    assert {"radius", "alpha", "beta", "nms_iou", "carries", "score_threshold", "form"} <= described


@pytest.mark.parametrize("form", ["paper", "adaptive"])
def test_the_defaults_of_a_form_are_those_of_the_method(form: str) -> None:
    sent = {each["name"]: each["default"][form] for each in described_settings()}
    assert sent["form"] == form
    wanted = getattr(PropagationConfig, form)()
    assert tuning_of(sent) == Tuning(wanted) == tuning_of({"form": form})


def test_each_setting_says_what_it_is_and_holds_its_default() -> None:
    for each in described_settings():
        assert each["label"]
        assert len(each["help"]) > 20
        assert "`" not in each["help"]
        for value in each["default"].values():
            if each["kind"] == "range":
                assert each["min"] <= value <= each["max"]
            if each["kind"] == "choice":
                assert value in each["choices"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"form": "other"}, "form is 'other'; it must be one of none, paper, adaptive"),
        ({"nothing": 1}, "there is no setting 'nothing'"),
        ({"alpha": 2}, "alpha is 2.0; it must be a number from 0 to 1"),
        ({"radius": 1.5}, "radius is 1.5; it must be a whole number from 0 to 128"),
        ({"radius": "3"}, "radius is '3'; it must be a whole number"),
        ({"score_threshold": 0.01}, "score_threshold is 0.01; it must be a number from 0.05 to 1"),
        ({"score_threshold": None}, "score_threshold is None; it must be a number"),
        ({"holds_peaks": 1}, "holds_peaks is 1; it must be True or False"),
        ({"form": "paper", "carries": "x"}, "carries is 'x'; it must be 'balanced' or 'network'"),
        ({"velocity": True}, "velocity is True; it must be a number"),
        ([], "settings are []; they must be an object of names"),
    ],
)
def test_what_cannot_be_set_is_told_in_a_line(shown: tuple[Client, str], sent: Any, said: str) -> None:
    with pytest.raises(InvalidConfigError, match=re.escape(said)):
        tuning_of(sent)
    client, run = shown
    answer = client.post(f"/api/runs/{run}/tune", {"settings": sent})
    assert answer.status == 400
    assert answer.error.startswith(said)


@given(st.integers(5, 100))
def test_the_key_of_the_network_alone_holds_its_threshold(percent: int) -> None:
    assert threshold_of(alone_key(percent / 100)) == percent / 100
    assert tuning_of({"form": "none", "score_threshold": percent / 100}).key == alone_key(percent / 100)


@pytest.mark.parametrize("key", ["alone", "alone-", "alone-2", "alone-0.3x", "alone-../x", "0" * 12])
def test_other_keys_hold_no_threshold(key: str) -> None:
    assert threshold_of(key) is None


def test_what_is_known_of_the_server_names_models_settings_and_limits(shown: tuple[Client, str]) -> None:
    client, _ = shown
    about = client.get("/api/about").json
    assert [model["name"] for model in about["models"]] == ["mb3-coco", "nanodet-coco", "synthvid"]
    assert all(model["bytes"] > 100_000 for model in about["models"])
    assert about["models"][0]["classes"][:2] == ["person", "bicycle"]
    assert about["forms"] == ["none", "paper", "adaptive"]
    assert about["settings"] == described_settings()
    assert about["max_upload"] == 1_000_000
    assert about["limits"]["detections"] == 512

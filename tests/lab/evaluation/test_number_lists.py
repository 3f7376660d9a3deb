"""Lists of numbers: what is meant, and one line for nonsense."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidConfigError
from heatprop.lab.evaluation.runs.number_lists import parse_numbers, parse_whole_numbers


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("2", [2]),
        ("0:5", [0, 1, 2, 3, 4, 5]),
        ("3:3", [3]),
        ("0:2,5,7:8", [0, 1, 2, 5, 7, 8]),
        ("0.5,2,inf", [0.5, 2, inf]),
        ("0.5,0.6,...,1", [0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("0.5,...,1", [0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("0.5,0.8,...,1", [0.5, 0.8, 1]),
        ("1,0.9,...,0.7", [1, 0.9, 0.8, 0.7]),
        ("0.3,...,0", [0.3, 0.2, 0.1, 0]),
        ("0,0.25,...,1,2,...,2.2", [0, 0.25, 0.5, 0.75, 1, 2, 2.2]),
        (" 1 , 1.0 ,2", [1, 2]),
    ],
)
def test_a_list_means_what_it_looks_like(text: str, values: list[float]) -> None:
    assert parse_numbers(text, "--alpha") == values


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "1,", "a", "nan", "1;2", "5:0", "0:", ":", "0:1:2", "0:1.5", "0:inf", "...", "...,1", "1,...",
        "1,...,...,2", "1,2,...,inf", "1,2,...,0", "1,1,...,2", "1,inf,...,2", "0:100000", "0,0.0001,...,1",
        "0:999999999999", "0,1e-300,...,1", "1e999999999", "1e400",
    ],
)  # fmt: skip
def test_nonsense_is_one_line_that_names_the_option(text: str) -> None:
    with pytest.raises(InvalidConfigError, match="--alpha") as caught:
        parse_numbers(text, "--alpha")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["0.5", "0,1.5", "inf", "0:2,0.5,...,1"])
def test_a_radius_is_whole(text: str) -> None:
    with pytest.raises(InvalidConfigError, match="--radius"):
        parse_whole_numbers(text, "--radius")


@given(st.text("0123456789.,:-einf ", max_size=20))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    try:
        values = parse_numbers(text, "--beta")
    except InvalidConfigError:
        return
    assert 0 < len(values) <= 1000
    assert len(set(values)) == len(values)

"""What a file holds becomes a dataclass as it is annotated, or is refused by the name of its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import InvalidConfigError, check_range
from heatprop.structuring import MisfitError, Syntax, structure


@dataclass(frozen=True, kw_only=True)
class Lens:
    focus: float = 50.0
    kind: Literal["wide", "long"] = "wide"

    def __post_init__(self) -> None:
        check_range("focus", self.focus, 0, 1000)


@dataclass(frozen=True, kw_only=True)
class Camera:
    name: str = "one"
    shots: int = 0
    is_on: bool = True
    size: tuple[int, int] = (4, 3)
    tags: tuple[str, ...] = ()
    classes: int | tuple[str, ...] = 80
    lens: Lens = field(default_factory=Lens)
    notes: Mapping[str, str] = field(default_factory=dict)


@pytest.mark.parametrize("syntax", ["json", "toml"])
def test_what_was_a_dataclass_is_one_again(syntax: Syntax) -> None:
    camera = Camera(tags=("a", "b"), classes=("cat",), lens=Lens(focus=3.0, kind="long"), notes={"by": "me"})
    assert structure(Camera, asdict(camera), "camera", syntax) == camera


def test_a_person_may_leave_keys_out_a_program_may_not() -> None:
    assert structure(Camera, {"lens": {"focus": 3}}, "", "toml") == Camera(lens=Lens(focus=3.0))
    assert structure(Camera, {"tags": "a"}, "", "toml") == Camera(tags=("a",))
    with pytest.raises(MisfitError, match=r"camera lacks 'name'; its keys are name, shots"):
        structure(Camera, {}, "camera", "json")
    with pytest.raises(MisfitError, match=r'camera.tags is "a"; it must be a list of texts'):
        structure(Camera, asdict(Camera()) | {"tags": "a"}, "camera", "json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (3, "camera is 3; it must be an object"),
        ({"lense": {}}, "camera.lense is unknown; perhaps lens; there are name, shots"),
        ({"lens": {"fokus": 3}}, "camera.lens.fokus is unknown; perhaps focus; there are focus, kind"),
        ({"lens": [50.0]}, "camera.lens is [50.0]; it must be an object"),
        ({"lens": {"focus": True, "kind": "wide"}}, "camera.lens.focus is true; it must be a number"),
        ({"lens": {"focus": 10**400, "kind": "wide"}}, "camera.lens.focus is 1000"),
        ({"lens": {"focus": 1.0, "kind": "flat"}}, "camera.lens.kind is \"flat\"; it must be 'wide' or 'long'"),
        ({"name": None}, "camera.name is null; it must be a text"),
        ({"name": "a\0b"}, 'camera.name is "a\\u0000b"; no name has a null character'),
        ({"shots": True}, "camera.shots is true; it must be a whole number"),
        ({"shots": 1.0}, "camera.shots is 1.0; it must be a whole number"),
        ({"is_on": 1}, "camera.is_on is 1; it must be true or false"),
        ({"size": [1, 2, 3]}, "camera.size is [1, 2, 3]; it must be a list of 2 whole numbers"),
        ({"tags": ["a", 1]}, 'camera.tags is ["a", 1]; it must be a list of texts'),
        ({"classes": 1.5}, "camera.classes is 1.5; it must be a whole number or a list of texts"),
        ({"notes": {"by": 1}}, 'camera.notes is {"by": 1}; it must be an object of texts'),
    ],
)
def test_what_does_not_fit_is_named(content: Any, said: str) -> None:
    whole = asdict(Camera()) | content if isinstance(content, dict) else content
    with pytest.raises(MisfitError) as caught:
        structure(Camera, whole, "camera", "json")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_dataclass_refuses_it_says_itself() -> None:
    with pytest.raises(
        InvalidConfigError, match=r"^focus is -1\.0; it must be a number from 0 to 1000$"
    ) as caught:
        structure(Camera, {"lens": {"focus": -1}}, "", "toml")
    assert not isinstance(caught.value, MisfitError)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*Camera.__dataclass_fields__, "other"]), anything),
    st.sampled_from(["json", "toml"]),
)
def test_nothing_else_is_ever_raised_and_types_are_those_annotated(
    content: dict[str, Any], syntax: Syntax
) -> None:
    try:
        camera = structure(Camera, content, "camera", syntax)
    except InvalidConfigError:
        return
    assert type(camera.name) is str
    assert type(camera.shots) is int
    assert type(camera.is_on) is bool
    assert type(camera.lens.focus) is float

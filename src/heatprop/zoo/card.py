"""The model card: what a network's file says about itself, kept as JSON in the file's metadata."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from heatprop.errors import InvalidConfigError, ModelError, shortened
from heatprop.letterbox import InputFormat

METADATA_KEY = "heatprop.card"
_LARGEST = 1e300  # JSON allows whole numbers that no float can hold

BoxForm = Literal["size", "distances"]
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one must know to run a network and to name its origin.

    Attributes:
        name: short name, the one to give on the command line.
        title: one line for people.
        classes: names of the classes, in the order of the heatmap's channels.
        stride: pixels of the input for one cell of the output grid.
        box_form: "size" is (width, height); "distances" is (left, top, right, bottom) from the cell. In cells.
        has_offset: whether there is an output `offset` beside `heatmap` and `size`.
        input: size, channel order and normalisation of the input.
        licence: SPDX identifier of the licence of the weights.
        origin: where the weights were published.
        sha256: name and hash of each file that the network was made from.

    Raises:
        ModelError: a field contradicts another or is empty.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    stride: int
    box_form: BoxForm
    has_offset: bool
    input: InputFormat
    licence: str
    origin: str
    sha256: Mapping[str, str] = field(hash=False)

    def __post_init__(self) -> None:
        def refuse(problem: str) -> None:
            raise ModelError(f"card of model {self.name!r}: {problem}")

        for key in ("name", "title", "licence", "origin"):
            value = getattr(self, key)
            if not value.strip() or "\n" in value:
                refuse(f"{key} is {value!r}; it must be one line of text")
        if not self.classes or not all(self.classes):
            refuse("classes is empty or holds an empty name; name every channel of the heatmap")
        if len(set(self.classes)) != len(self.classes):
            twice = next(name for name, count in Counter(self.classes).items() if count > 1)
            refuse(f"class {twice!r} is there twice; each name must be unique")
        if self.stride < 1 or self.input.multiple % self.stride:
            refuse(f"stride is {self.stride}; it must divide the input's multiple, {self.input.multiple}")
        if self.box_form not in get_args(BoxForm):
            refuse(f"box_form is {self.box_form!r}; it must be 'size' or 'distances'")
        for file, digest in self.sha256.items():
            if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
                refuse(f"sha256 of {file} is {digest!r}; it must be 64 lower-case hexadecimal digits")

    @property
    def size_channels(self) -> int:
        """Channels of the output `size`: 2 or 4."""
        return 2 if self.box_form == "size" else 4

    def to_json(self) -> str:
        """Return the card as one line of JSON, the same for equal cards."""
        return json.dumps(asdict(self) | {"sha256": dict(self.sha256)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card, refusing whatever is missing, unknown or of another type.

        Raises:
            ModelError: one line that names the key, its value and what it must be.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"model card is not JSON ({error}); export the model again") from None
        return _parse(cls, value, "card")


def _parse(kind: type[Parsed], value: Any, where: str) -> Parsed:
    """Build the dataclass `kind` from a JSON object, checking keys and types by its annotations."""
    if not isinstance(value, dict):
        raise ModelError(f"model {where} is {_show(value)}; it must be an object")
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    for problem, keys in (
        ("lacks", [name for name in names if name not in value]),
        ("has an unknown key", [key for key in value if key not in names]),
    ):
        if keys:
            raise ModelError(f"model {where} {problem} {keys[0]!r}; its keys are {', '.join(names)}")
    hints = get_type_hints(kind)
    parsed = {name: _convert(hints[name], value[name], f"{where}.{name}") for name in names}
    try:
        return kind(**parsed)
    except InvalidConfigError as error:
        raise ModelError(f"model {where}: {error}") from None


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Return a JSON value as the annotated type `hint`, without guessing between types."""
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return _parse(hint, value, where)
    if origin is Literal:
        if value in arguments and isinstance(value, str):
            return value
        wanted = " or ".join(repr(choice) for choice in arguments)
    elif origin is tuple:
        many = arguments[-1] is Ellipsis
        if isinstance(value, list) and (many or len(value) == len(arguments)):
            return tuple(_convert(arguments[0], item, where) for item in value)
        wanted = "a list" if many else f"a list of {len(arguments)}"
    elif origin is Mapping:
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            return value
        wanted = "an object of texts"
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST:
            return float(value)
        wanted = "a number"
    else:
        if type(value) is hint:
            return value
        wanted = {str: "a text", int: "a whole number", bool: "true or false"}[hint]
    raise ModelError(f"model {where} is {_show(value)}; it must be {wanted}")


def _show(value: Any) -> str:
    return shortened(json.dumps(value), 40)

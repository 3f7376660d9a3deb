"""The model card: what a network's file says about itself, kept as JSON in the file's metadata."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from heatprop.errors import InvalidConfigError, ModelError
from heatprop.letterbox import InputFormat
from heatprop.structuring import MisfitError, structure

METADATA_KEY = "heatprop.card"
CENTERNET = "centernet"
"""The layout of networks with a heatmap: outputs `heatmap`, `size` and perhaps `offset`."""
_LATER_INPUT_KEYS = ("fit", "place", "padding", "fixed_size")

_LATER_DEFAULTS = {"layout": CENTERNET}
_DEFAULT_INPUT = asdict(InputFormat())
BoxForm = Literal["size", "distances"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one must know to run a network and to name its origin.

    Attributes:
        name: short name, the one to give on the command line.
        title: one line for people.
        classes: names of the classes, by number: the order of the heatmap's channels.
        stride: pixels of the input for one cell of the heatmap; 1 in other layouts.
        box_form: "size" is (width, height); "distances" is (left, top, right, bottom) from the cell. In cells;
            "size" in other layouts.
        has_offset: whether there is an output `offset` beside `heatmap` and `size`.
        input: size, channel order and normalisation of the input.
        licence: SPDX identifier of the licence of the weights.
        origin: where the weights were published.
        sha256: name and hash of each file that the network was made from.
        layout: what the outputs mean: "centernet", or one of `heatprop.layouts`.

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
    layout: str = CENTERNET

    def __post_init__(self) -> None:
        def refuse(problem: str) -> None:
            raise ModelError(f"card of model {self.name!r}: {problem}")

        for key in ("name", "title", "licence", "origin", "layout"):
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
    def gives_boxes(self) -> bool:
        """Whether the outputs are boxes, of any family, and no heatmap."""
        return self.layout != CENTERNET

    @property
    def size_channels(self) -> int:
        """Channels of the output `size`: 2 or 4."""
        return 2 if self.box_form == "size" else 4

    def to_json(self) -> str:
        """Return the card as one line of JSON, the same for equal cards.

        What cards of version 0.1.0 did not have stands in it only where it is not the default.
        """
        value = asdict(self) | {"sha256": dict(self.sha256)}
        for key, default in _LATER_DEFAULTS.items():
            if value[key] == default:
                del value[key]
        for each in _LATER_INPUT_KEYS:
            if value["input"][each] == _DEFAULT_INPUT[each]:
                del value["input"][each]
        return json.dumps(value, separators=(",", ":"))

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
        if isinstance(value, dict):
            value = _LATER_DEFAULTS | value
        if isinstance(value, dict) and isinstance(value.get("input"), dict):
            value["input"] = {key: _DEFAULT_INPUT[key] for key in _LATER_INPUT_KEYS} | value["input"]
        try:
            return structure(cls, value, "card", "json")
        except MisfitError as error:
            raise ModelError(f"model {error}") from None
        except InvalidConfigError as error:
            raise ModelError(f"model card.input: {error}") from None

"""Another input size than the card's, where card and file leave the choice."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral

from heatprop.backends.reading import INPUT
from heatprop.errors import InvalidConfigError
from heatprop.letterbox import LARGEST_SIDE
from heatprop.zoo import Model
from heatprop.zoo.metadata import NotOnnxError, has_fixed_sides
from heatprop.zoo.openvino_xml import NotOpenVinoError, xml_has_fixed_sides


def with_input_size(model: Model, input_size: int) -> Model:
    """Return a model whose network sees larger or smaller images than its card in the file says.

    Args:
        model: as it was loaded.
        input_size: the longer side of the image in the network's input, in pixels; see
            `heatprop.letterbox.InputFormat.longest_side`.

    Raises:
        InvalidConfigError: it is no multiple of what the card says, or card or file allow one size alone.

    Example:
        >>> from heatprop.zoo import load
        >>> with_input_size(load("mb3-coco"), 320).card.input.longest_side
        320
    """
    card, longest, multiple = model.card, model.card.input.longest_side, model.card.input.multiple
    is_whole = isinstance(input_size, Integral) and not isinstance(input_size, bool)
    if is_whole and input_size == longest:
        return model
    if multiple == longest:
        by, export = ("", "height and width left open") if card.gives_boxes else ("by its card ", "--multiple 32")
        raise InvalidConfigError(
            f"input size is {input_size!r}; {by}model {card.name} takes {longest} x {longest} alone: "
            f"leave the size out, or export the model with {export}"
        )
    if not is_whole or not multiple <= input_size <= LARGEST_SIDE or input_size % multiple:
        raise InvalidConfigError(
            f"input size is {input_size!r}; for model {card.name} it must be a multiple of {multiple}, "
            f"at most {LARGEST_SIDE}"
        )
    if _file_has_fixed_sides(model):
        raise InvalidConfigError(
            f"input size is {input_size!r}; the input in {model.path} has a fixed size: leave the size out, or "
            "export the model with height and width left open, as heatprop export does"
        )
    asked = replace(card, input=replace(card.input, longest_side=int(input_size)))
    return replace(model, card=asked, own_card=model.own_card or card)


def _file_has_fixed_sides(model: Model) -> bool:
    try:
        if model.path.suffix == ".xml":
            return xml_has_fixed_sides(model.path)
        return model.path.suffix == ".onnx" and has_fixed_sides(model.path, INPUT)
    except (OSError, NotOnnxError, NotOpenVinoError):
        return False  # whoever opens the file will say what is wrong with it

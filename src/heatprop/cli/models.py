"""`heatprop models`: what is embedded, and what a file of a detector is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from heatprop import layouts, zoo
from heatprop.backends import load_model
from heatprop.backends.recognised import recognised
from heatprop.cli.class_names_file import read_class_names
from heatprop.cli.messages import say
from heatprop.cli.usage import UsageError
from heatprop.errors import InvalidConfigError
from heatprop.layouts import Recognition
from heatprop.letterbox import ChannelOrder, Fit, InputFormat, Place
from heatprop.zoo import Model
from heatprop.zoo.card_writing import write_with_card

_FEW = 8


@dataclass(frozen=True, slots=True)
class Models:
    """List the embedded models, or say what a file of any detector is.
    $ heatprop models
    $ heatprop models inspect yolox_s.onnx
    $ heatprop models inspect my.onnx --class-names names.txt -o my-with-card.onnx
    $ heatprop models inspect my.onnx --layout yolov8 --channel-order BGR -o my-with-card.onnx

    inspect says what outputs mean, how sure that is, and what the input is. With -o a copy of the file gets all of
    it as a card, so that next time nothing must be recognised or said again.
    """

    action: Annotated[
        tyro.conf.Positional[Literal["list", "inspect"]], tyro.conf.arg(metavar="[list|inspect]")
    ] = "list"
    """What to do."""
    file: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="[FILE.onnx|FILE.xml]")] = None
    """Network to inspect."""
    output: Annotated[
        Path | None, tyro.conf.arg(aliases=["-o"], metavar="COPY.onnx|COPY.xml", help_behavior_hint="")
    ] = None
    """inspect: write a copy that carries a card."""
    layout: Annotated[str, tyro.conf.arg(metavar="NAME")] = layouts.AUTO
    """inspect: the family, where it is not recognised."""
    class_names: Annotated[Path | None, tyro.conf.arg(metavar="NAMES.txt", help_behavior_hint="")] = None
    """inspect: names of the classes, one a line, where the file has none or others."""
    name: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """Card: what the model is called; default: as the file."""
    licence: Annotated[str | None, tyro.conf.arg(metavar="SPDX", help_behavior_hint="")] = None
    """Card: licence of the weights."""
    channel_order: Annotated[ChannelOrder | None, tyro.conf.arg(help_behavior_hint="")] = None
    """Card: order of the input's channels, where the family's usual one does not hold."""
    scale: Annotated[float | None, tyro.conf.arg(metavar="FACTOR", help_behavior_hint="")] = None
    """Card: factor that pixels of 0 to 255 are multiplied by first."""
    mean: Annotated[tuple[float, float, float] | None, tyro.conf.arg(help_behavior_hint="")] = None
    """Card: subtracted from each channel then."""
    std: Annotated[tuple[float, float, float] | None, tyro.conf.arg(help_behavior_hint="")] = None
    """Card: what each channel is divided by last."""
    fit: Annotated[Fit | None, tyro.conf.arg(help_behavior_hint="")] = None
    """Card: letterbox keeps the shape of objects and pads; stretch fills the input."""
    place: Annotated[Place | None, tyro.conf.arg(help_behavior_hint="")] = None
    """Card: where the image lies among its padding."""
    padding: Annotated[int | None, tyro.conf.arg(metavar="GREY", help_behavior_hint="")] = None
    """Card: grey level of the padding, 0 to 255."""
    overwrite: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Replace a copy that exists."""
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print JSON, with the names of all classes, instead of text."""

    def run(self) -> int:
        """Print on standard output and return the exit code.

        Raises:
            HeatpropError: the file is of no known family, or the request is bad; nothing was written.
        """
        if self.action == "inspect":
            return self._inspect()
        if self.file is not None:
            raise UsageError(f"heatprop models list takes no file; perhaps heatprop models inspect {self.file}")
        for field in fields(self):
            if field.name not in ("action", "json") and getattr(self, field.name) != field.default:
                option = "--" + field.name.replace("_", "-")
                raise UsageError(f"{option} goes with heatprop models inspect FILE; see heatprop models --help")
        return self._list()

    def _list(self) -> int:
        models = [zoo.load(card.name) for card in zoo.models()]
        sizes = [model.path.stat().st_size for model in models]
        if self.json:
            cards = [asdict(model.card) | {"bytes": size} for model, size in zip(models, sizes, strict=True)]
            sys.stdout.write(json.dumps(cards, indent=2) + "\n")
            return 0
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("name", "what it is", "classes", "input", "size", "licence"):
            table.add_column(column, overflow="fold", justify="right" if column in ("classes", "size") else "left")
        for model, size in zip(models, sizes, strict=True):
            card = model.card
            table.add_row(
                card.name,
                card.title,
                str(len(card.classes)),
                f"{card.input.longest_side} px",
                f"{size / 1e6:.1f} MB",
                card.licence,
            )
        Console(highlight=False, markup=False).print(table)
        return 0

    def _inspect(self) -> int:
        if self.file is None:
            raise UsageError("missing from heatprop models inspect: FILE; see heatprop models --help")
        names = None if self.class_names is None else read_class_names(self.class_names)
        path = zoo.find(self.file)
        if path.suffix in (".onnx", ".xml") and zoo.read_card(path) is None:
            model, found = recognised(path, layout=self.layout, class_names=names)
        else:
            model, found = load_model(path, layout=self.layout, classes=names), None
        model = self._as_told(model)
        if self.output is not None and found is None:
            raise InvalidConfigError(f"{path} has a card already; -o writes one into files that have none")
        if self.output is not None:
            write_with_card(path, model.card, self.output, overwrite=self.overwrite)
            say(f"{self.output}: {path.name} with a card")
        if self.json:
            sys.stdout.write(json.dumps(_facts(model, found), indent=2) + "\n")
        else:
            sys.stdout.write("".join(f"{key:<12}{value}\n" for key, value in _lines(model, found)))
        return 0

    def _as_told(self, model: Model) -> Model:
        """Return the model with what options say of its card."""
        keys = ("channel_order", "scale", "mean", "std", "fit", "place", "padding")
        told = {key: getattr(self, key) for key in keys if getattr(self, key) is not None}
        words = {key: getattr(self, key) for key in ("name", "licence") if getattr(self, key) is not None}
        return replace(model, card=replace(model.card, input=replace(model.card.input, **told), **words))


def _facts(model: Model, found: Recognition | None) -> dict[str, Any]:
    """Return what is known of a file, for programs."""
    card = json.loads(model.card.to_json()) | {"layout": model.card.layout}
    sure = {"confidence": "card"} if found is None else {"confidence": found.confidence, "reason": found.reason}
    return {"file": str(model.path), "card": card, **sure}


def _lines(model: Model, found: Recognition | None) -> list[tuple[str, str]]:
    """Return what is known of a file, for people."""
    card = model.card
    family = layouts.get(card.layout).title if card.gives_boxes else "CenterNet"
    how = "its card says so" if found is None else f"{found.confidence}: {found.reason}"
    count = len(card.classes)
    shown = ", ".join(card.classes[:_FEW]) + (f" and {count - _FEW} more" if count > _FEW else "")
    lines = [("file", str(model.path)), ("layout", f"{card.layout} ({family})"), ("how sure", how)]
    lines += [("classes", f"{count}: {shown}"), ("input", _shown(card.input)), ("licence", card.licence)]
    if found is not None:
        lines.insert(3, ("outputs", ", ".join(map(str, found.outputs))))
    return lines


def _shown(form: InputFormat) -> str:
    height, width = form.fixed_size or (form.longest_side, form.longest_side)
    size = f"{width} x {height} px" if form.fixed_size else f"{width} px, sides multiples of {form.multiple}"
    if form.fit == "stretch":
        laid = "stretched"
    else:
        laid = f"letterboxed {'in the centre' if form.place == 'centre' else 'top left'} on grey {form.padding}"
    numbers = f"x {form.scale:.6g}" if form.scale != 1 else "0 to 255"
    mean, std = (", ".join(f"{each:.6g}" for each in three) for three in (form.mean, form.std))
    normal = f", minus ({mean}), over ({std})" if any(form.mean) or form.std != (1.0, 1.0, 1.0) else ""
    return f"{size}; {form.channel_order}, {numbers}{normal}; {laid}"

"""`heatprop models`: what is embedded."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from heatprop import zoo


@dataclass(frozen=True, slots=True)
class Models:
    """List the embedded models: classes, input, size, licence and origin."""

    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print JSON, with the names of all classes, instead of a table."""

    def run(self) -> int:
        """Print the list on standard output and return the exit code."""
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

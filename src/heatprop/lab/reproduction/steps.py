"""How a report tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Steps:
    """What is told while a report is made.

    Attributes:
        begin: is called with the name of a step and how many frames it has.
        advance: is called with how many more are done.
        note: takes a line.
    """

    begin: Callable[[str, int], None] = lambda _name, _frames: None
    advance: Callable[[int], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None

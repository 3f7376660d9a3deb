"""Lets mkdocstrings see the examples of docstrings: it knows the section `Examples:`, ours is `Example:`."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class ExampleSections(Extension):
    """Renames the section before docstrings are parsed."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Look at an object that has just been read."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)

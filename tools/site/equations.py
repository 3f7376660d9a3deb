"""Equations of the documentation site: fences called `math` become MathML, which needs no script."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the fence to those of superfences."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "equation", "format": equation})
    return config


def equation(source: str, *_: Any, **__: Any) -> str:
    """Return a paragraph of MathML for LaTeX; GitHub shows the same fence by itself."""
    return f'<div class="equation">{convert(source.strip(), display="block")}</div>'

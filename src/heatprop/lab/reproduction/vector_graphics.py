"""Drawings as SVG text for a page that may be light or dark: no ground, ink in the colour of its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import TYPE_CHECKING
from warnings import catch_warnings, filterwarnings

from heatprop.errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
"""Drawn in this colour, becomes `currentColor`."""

# Each has a contrast of 3 or more on white and on near black, and is told apart by colour-blind eyes.
BLUE, VERMILLION, GREEN, PURPLE = "#2b83c6", "#d55e00", "#0a9a73", "#b5679c"

_FONT = 11.0
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "heatprop",
    "text.parse_math": False,
    "font.size": _FONT,
    "axes.titlesize": _FONT,
    "axes.labelsize": _FONT,
    "xtick.labelsize": _FONT - 1,
    "ytick.labelsize": _FONT - 1,
    "legend.fontsize": _FONT - 1,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.linewidth": 0.8,
    "lines.scale_dashes": True,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "xtick.labelcolor", "ytick.labelcolor", "grid.color"), INK),
    "grid.alpha": 0.16,
    "grid.linewidth": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
}
_FONTS = re.compile(r"font-family: [^;\"]*")
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_SHEET = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_SIZE = re.compile(r'<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>')
_TAG = re.compile(r"<[^>]+>")  # what is written between tags is left as it is
_NAMED = re.compile(r'(\bid="|href="#|url\(#)')
NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What neither SVG nor HTML may hold."""


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the style of the page, whatever the machine's own settings are.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        from matplotlib import style  # noqa: PLC0415 (optional, and slow to import)
    except ImportError:
        raise MissingPackageError("plots need matplotlib; pip install 'heatprop[evaluate]'") from None
    with style.context(["default", _STYLE]), catch_warnings():
        filterwarnings(
            "ignore", "Glyph .* missing from", UserWarning
        )  # the reader's fonts draw the text, not ours
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, sides in pixels of the page; it belongs to no global state."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (there, as `drawing` is open)

    return Figure(figsize=(width / 72, height / 72), layout="constrained")


def prepare(panel: Axes, *, across: bool = True) -> None:
    """Lay faint lines across a panel, or down it, behind what is drawn."""
    panel.grid(visible=True, axis="y" if across else "x")
    panel.set_axisbelow(True)
    panel.margins(x=0.03)


def label(text: object, most: int = 24) -> str:
    """Return a name short enough to stand beside a plot, without what no SVG may hold.

    >>> label("motion_blur"), label("a" * 30, 5)
    ('motion_blur', 'aaaa…')
    """
    shown = " ".join(NO_TEXT.sub("", str(text)).split())
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def as_svg(figure: Figure, name: str, says: str) -> str:
    """Return a figure as an `<svg>` element, the same text each time.

    Args:
        figure: drawn and saved inside one `drawing()`.
        name: of the image, unique in its page: each id begins with it.
        says: what it shows, for who does not see it.
    """
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    found = text.getvalue()
    svg = _SHEET.sub("", _METADATA.sub("", found[found.index("<svg") :]), count=1)
    prefix = re.sub(r"[^a-z0-9]+", "-", name.lower())

    def mended(tag: re.Match[str]) -> str:
        text = _FONTS.sub("font-family: inherit", tag.group()).replace("xlink:href", "href")
        return _NAMED.sub(rf"\g<1>{prefix}-", text.replace(INK, "currentColor"))

    svg = _TAG.sub(mended, svg)
    size = _SIZE.match(svg)
    assert size is not None  # matplotlib writes it
    width, height = (round(float(side)) for side in size.groups())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="{escape(label(says, 300))}"'
        ' style="stroke-linejoin: round; stroke-linecap: butt" fill="currentColor">'
    )
    return head + svg[size.end() :].strip()

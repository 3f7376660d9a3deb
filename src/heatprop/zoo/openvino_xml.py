"""Read metadata out of OpenVINO's XML, without OpenVINO, its weights, or any trust in the file.

The parser is Python's expat. A document type declaration, where entities would be defined, is refused, so
nothing expands and nothing else is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.parsers import expat

from heatprop.io.regular_files import LARGEST_XML, open_regular

_GROUPS = (["framework"], ["model_info"])


class NotOpenVinoError(Exception):
    """The text is no whole network of OpenVINO's."""


def read_xml_metadata(path: Path) -> dict[str, str]:
    """Return what stands in ``<rt_info>`` of the network at `path`: name and value of each entry.

    Below it, ``<framework>`` has the metadata of the ONNX file that was converted, and ``<model_info>`` what
    OpenVINO's Model API reads; an entry of the network's own comes before theirs.

    Raises:
        NotOpenVinoError: the file is something else, or is cut short.
        OSError: it cannot be read.
    """
    return _read(path).metadata


def xml_has_fixed_sides(path: Path) -> bool:
    """Return whether an input ``(N, C, H, W)`` of the network at `path` has a set height or width.

    Raises:
        NotOpenVinoError: the file is something else, or is cut short.
        OSError: it cannot be read.
    """
    return any(side.isdecimal() for shape in _read(path).input_shapes for side in shape.split(",")[2:])


def place_for_metadata(path: Path) -> tuple[int, bool]:
    """Return at which byte of the network's text an entry of metadata can be put in, and whether in ``<rt_info>``.

    Raises:
        NotOpenVinoError: the file is something else, or is cut short.
        OSError: it cannot be read.
    """
    reader = _read(path)
    return (reader.end_of_net, False) if reader.metadata_start is None else (reader.metadata_start, True)


def _read(path: Path) -> _Reader:
    parser = expat.ParserCreate()
    reader = _Reader(parser)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        with open_regular(path, LARGEST_XML) as file:
            parser.ParseFile(file)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise NotOpenVinoError(f"{error}") from None
    return reader


def _refuse_doctype(*_: object) -> None:
    raise NotOpenVinoError("it declares a document type")


class _Reader:
    """Collects the entries below ``<net><rt_info>``, and the shapes of inputs, such as "?,3,?,?"."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        self.metadata_start: int | None = None  # of the first entry
        self.end_of_net = 0
        self.metadata: dict[str, str] = {}
        self.input_shapes: list[str] = []
        self._open: list[str] = []
        self._is_in_input = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._open and name != "net":
            raise NotOpenVinoError(f"it begins with <{name[:20]}>")
        if "value" in attributes:
            if self._open == ["net", "rt_info"]:
                self.metadata[name] = attributes["value"]
            elif self._open[:2] == ["net", "rt_info"] and self._open[2:] in _GROUPS:
                self.metadata.setdefault(name, attributes["value"])
        if self._open == ["net", "rt_info"] and self.metadata_start is None:
            self.metadata_start = self._parser.CurrentByteIndex
        if self._open == ["net", "layers"]:
            self._is_in_input = attributes.get("type") == "Parameter"
        if self._is_in_input and self._open == ["net", "layers", "layer"] and name == "data":
            self.input_shapes.append(attributes.get("shape", ""))
        self._open.append(name)

    def end(self, _: str) -> None:
        self._open.pop()
        if not self._open:
            self.end_of_net = self._parser.CurrentByteIndex

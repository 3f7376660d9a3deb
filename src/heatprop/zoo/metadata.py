"""Read the metadata of an ONNX file without loading its weights.

An ONNX file is one Protocol Buffers message. Its metadata are a handful of short fields beside the graph, so
skipping from field to field reads a few hundred bytes where a runtime would load and check everything.
The field numbers are those of `ModelProto`, `GraphProto`, `NodeProto`, `AttributeProto`, `TensorProto`,
`StringStringEntryProto` and, for an input, `ValueInfoProto`, `TypeProto` and `TensorShapeProto` in the public ONNX
schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from heatprop.io.regular_files import LARGEST_MODEL, open_regular

_MODEL_GRAPH = 7
_GRAPH_NODE = 1
_NODE_OPERATOR = 4
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_GRAPH_TENSOR = 5
_TENSOR_ELSEWHERE = 13  # an entry for each thing that is to be known about where its numbers lie
_GRAPH_INPUT = 11
_INPUT_NAME = 1
_INPUT_DIMENSION = (2, 1, 2, 1)  # its type, of a tensor, the shape, its dimensions
_DIMENSION_NUMBER = 1
_MODEL_METADATA = 14
_ENTRY_KEY = 1
_ENTRY_VALUE = 2

_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5


class NotOnnxError(Exception):
    """The bytes are no whole ONNX model."""


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of the ONNX file at `path`.

    Raises:
        NotOnnxError: the file is something else, or is cut short.
        OSError: it cannot be read.
    """
    with open_regular(path, LARGEST_MODEL) as file:
        metadata: dict[str, str] = {}
        has_graph = False
        for number, start, end in _fields(file, 0, path.stat().st_size):
            has_graph |= number == _MODEL_GRAPH
            if number == _MODEL_METADATA:
                entry = {key: _text(file, first, last) for key, first, last in _fields(file, start, end)}
                metadata[entry.get(_ENTRY_KEY, "")] = entry.get(_ENTRY_VALUE, "")
    if not has_graph:
        raise NotOnnxError("it holds no graph")
    return metadata


def read_operators(path: Path) -> set[str]:
    """Return the names of the operators in the graph of the ONNX file at `path`, without those in functions.

    Raises:
        NotOnnxError: the file is something else, or is cut short.
        OSError: it cannot be read.
    """
    with open_regular(path, LARGEST_MODEL) as file:
        operators = _inside(file, 0, path.stat().st_size, _MODEL_GRAPH, _GRAPH_NODE, _NODE_OPERATOR)
        return {_text(file, *operator) for operator in operators}


def read_external_files(path: Path) -> set[str]:
    """Return the names of the files that hold weights of the ONNX file at `path`, as they stand in it.

    Raises:
        NotOnnxError: the file is something else, or is cut short.
        OSError: it cannot be read.
    """
    with open_regular(path, LARGEST_MODEL) as file:
        graphs = list(_inside(file, 0, path.stat().st_size, _MODEL_GRAPH))
        names = set()
        while graphs:
            graph = graphs.pop()
            tensors = list(_inside(file, *graph, _GRAPH_TENSOR))
            for attribute in _inside(file, *graph, _GRAPH_NODE, _NODE_ATTRIBUTE):
                for number, *payload in _fields(file, *attribute):
                    if number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                        tensors.append((payload[0], payload[1]))
                    elif number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                        graphs.append((payload[0], payload[1]))
            for tensor in tensors:
                for entry in _inside(file, *tensor, _TENSOR_ELSEWHERE):
                    words = {number: _text(file, *place) for number, *place in _fields(file, *entry)}
                    if words.get(_ENTRY_KEY) == "location":
                        names.add(words.get(_ENTRY_VALUE, ""))
    return names


def has_fixed_sides(path: Path, name: str) -> bool:
    """Return whether the input `name`, ``(N, C, H, W)``, of the ONNX file at `path` has a set height or width.

    Raises:
        NotOnnxError: the file is something else, or is cut short.
        OSError: it cannot be read.
    """
    with open_regular(path, LARGEST_MODEL) as file:
        return any(
            number == _DIMENSION_NUMBER
            for inside in _inside(file, 0, path.stat().st_size, _MODEL_GRAPH, _GRAPH_INPUT)
            if name in [_text(file, *each) for each in _inside(file, *inside, _INPUT_NAME)]
            for side in list(_inside(file, *inside, *_INPUT_DIMENSION))[2:]
            for number, _, _ in _fields(file, *side)
        )


def metadata_entry(key: str, value: str) -> bytes:
    """Return an entry of metadata as it stands in an ONNX file; at the end of one, it is the last entry.

    >>> metadata_entry("a", "b")
    b'r\\x06\\n\\x01a\\x12\\x01b'
    """
    entry = _payload(_ENTRY_KEY, key.encode()) + _payload(_ENTRY_VALUE, value.encode())
    return _payload(_MODEL_METADATA, entry)


def _payload(number: int, content: bytes) -> bytes:
    length, digits = len(content), bytearray()
    while length >= 0x80:
        digits.append(length & 0x7F | 0x80)
        length >>= 7
    digits.append(length)
    return bytes([number << 3 | _LENGTH_DELIMITED]) + bytes(digits) + content


def _inside(stream: BinaryIO, start: int, end: int, *numbers: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each payload that the numbers of fields, one inside the other, lead to."""
    if not numbers:
        yield start, end
        return
    for number, *payload in _fields(stream, start, end):
        if number == numbers[0]:
            yield from _inside(stream, *payload, *numbers[1:])


def _text(stream: BinaryIO, start: int, end: int) -> str:
    stream.seek(start)
    try:
        return stream.read(end - start).decode()
    except UnicodeDecodeError:
        raise NotOnnxError("its metadata are not text") from None


def _fields(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field's payload in the message that lies from `start` to `end`.

    The stream may be moved between two fields. Numbers have an empty payload: nobody needs them.
    """
    position = start
    while position < end:
        stream.seek(position)
        tag = _varint(stream)
        number, wire = tag >> 3, tag & 7
        length = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire, 0)
        if wire in (_VARINT, _LENGTH_DELIMITED):
            length = _varint(stream) * (wire == _LENGTH_DELIMITED)
        elif wire not in (_EIGHT_BYTES, _FOUR_BYTES):
            raise NotOnnxError("it is not ONNX")
        first = stream.tell()
        position = first + length
        if number == 0 or position > end:
            raise NotOnnxError("it is cut short or not ONNX")
        yield number, first, position


def _varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise NotOnnxError("it is cut short or not ONNX")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise NotOnnxError("it is not ONNX")

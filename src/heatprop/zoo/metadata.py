"""Read the metadata of an ONNX file without loading its weights.

An ONNX file is one Protocol Buffers message. Its metadata are a handful of short fields beside the graph, so
skipping from field to field reads a few hundred bytes where a runtime would load and check everything.
The field numbers are those of `ModelProto` and `StringStringEntryProto` in the public ONNX schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_MODEL_GRAPH = 7
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
    with path.open("rb") as file:
        metadata: dict[str, str] = {}
        has_graph = False
        for number, payload in _fields(file, path.stat().st_size, wanted=_MODEL_METADATA):
            has_graph |= number == _MODEL_GRAPH
            if payload is not None:
                entry = {key: text for key, text in _fields(BytesIO(payload), len(payload)) if text is not None}
                metadata[_text(entry, _ENTRY_KEY)] = _text(entry, _ENTRY_VALUE)
    if not has_graph:
        raise NotOnnxError("it holds no graph")
    return metadata


def _text(entry: dict[int, bytes], number: int) -> str:
    try:
        return entry.get(number, b"").decode()
    except UnicodeDecodeError:
        raise NotOnnxError("its metadata are not text") from None


def _fields(stream: BinaryIO, length: int, wanted: int | None = None) -> Iterator[tuple[int, bytes | None]]:
    """Yield number and payload of each field of a message; the payload of unwanted ones is skipped."""
    while stream.tell() < length:
        tag = _varint(stream)
        number, wire = tag >> 3, tag & 7
        payload: bytes | None = None
        if wire == _VARINT:
            _varint(stream)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES, _LENGTH_DELIMITED):
            count = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire)
            count = _varint(stream) if count is None else count
            if number == 0 or stream.tell() + count > length:
                raise NotOnnxError("it is cut short or not ONNX")
            if wire == _LENGTH_DELIMITED and wanted in (None, number):
                payload = stream.read(count)
            else:
                stream.seek(count, 1)
        else:
            raise NotOnnxError("it is not ONNX")
        yield number, payload


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

"""The bytes of a file by place, read where they are asked for: headers lie anywhere in it, pixels between."""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, TypeAlias


class FileBytes:
    """An open file that is sliced as `bytes` are; what cannot be read is missing at the end of a slice.

    Args:
        file: which stays the caller's.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = file.seek(0, os.SEEK_END)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._length)
        self._file.seek(start)
        return self._file.read(max(stop - start, 0))


Bytes: TypeAlias = bytes | FileBytes


def unpack(form: str, data: Bytes, at: int) -> tuple[Any, ...]:
    """Return the values of a form of `struct` that lie at a place.

    Raises:
        struct.error: the data ends before.
    """
    return struct.unpack(form, data[at : at + struct.calcsize(form)])

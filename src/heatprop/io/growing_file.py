"""A file that a muxer writes, and that stays playable wherever writing ends."""

from __future__ import annotations

import os
from pathlib import Path


class GrowingFile:
    """A new file that only grows until it is settled, as a muxer of PyAV writes to it.

    What goes to its end is on the disk at once. What changes bytes that are there already, as the index of a video
    does when it closes, waits for `settle`. When the disk refuses more, the error is kept, and whatever comes is
    discarded: the muxer, which would change the file's head in any case, cannot spoil what is there. `close` then
    cuts the file back to the last `mark_whole`.

    Args:
        path: the file; it is emptied.

    Attributes:
        error: what refused to take more; None while nothing did.
        whole: how many bytes may stay if the disk refuses more.

    Raises:
        OSError: it cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = GrowingFile(Path(folder) / "a.bin")
        ...     _ = file.write(b"head, body")
        ...     _ = file.seek(0), file.write(b"HEAD")
        ...     file.close()  # not settled: the head stays
        ...     (Path(folder) / "a.bin").read_bytes()
        b'head, body'
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.error: OSError | None = None
        self._file = path.open("w+b", buffering=0)
        self.whole = 0
        self._position = self._size = 0
        self._changes: list[tuple[int, bytes]] = []
        self._is_frozen = False

    def write(self, data: bytes) -> int:
        """Take bytes at the present position."""
        data = bytes(data)
        if not self._is_frozen:
            if self._position < self._size:
                self._changes.append((self._position, data))
            else:
                self._put(self._position, data)
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as `io.IOBase.seek` does."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def head(self, length: int) -> bytes:
        """Return the first bytes that are on the disk."""
        self._file.seek(0)
        return self._file.read(length) or b""

    def mark_whole(self) -> None:
        """Note that all that was written so far may stay, and what follows only together."""
        if not self._is_frozen:
            self.whole = self._size

    def settle(self) -> None:
        """Make the changes to what was there already, and let all stay."""
        for position, data in self._changes:
            self._put(position, data)
        self._changes.clear()
        self.mark_whole()

    def close(self) -> None:
        """Let go of what was not settled or refused, and close; further calls do nothing."""
        self._is_frozen = True
        if not self._file.closed:
            try:
                if self.error is not None:
                    self._file.truncate(self.whole)
            finally:
                self._file.close()

    def _put(self, position: int, data: bytes) -> None:
        if self._is_frozen:
            return
        try:
            self._file.seek(position)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.error = error
            self._is_frozen = True

"""Files that a browser sends: streamed to disk, bounded, under names of the server's own."""

from __future__ import annotations

import os
import re
import secrets
import string
from collections.abc import AsyncIterator
from pathlib import Path

from heatprop.errors import HeatpropError, OutputError

_ID = re.compile(r"[a-z0-9]{12}")
_LETTERS = string.ascii_lowercase + string.digits
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_LONGEST_NAME = 200
_MOST_WAITING = 8
_NO_UPLOAD = "there is no such upload; send the file again"


class TooLargeError(HeatpropError):
    """An upload is larger than is taken."""


class UnknownUploadError(HeatpropError, LookupError):
    """There is no such upload."""


class Uploads:
    """Uploads that no run has taken yet: the newest few. What an earlier server left is removed.

    Args:
        folder: where they lie; it is there.
        largest: bytes of one at most.
    """

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder, self.largest = folder, largest
        self._names: dict[str, tuple[Path, str]] = {}
        for left in folder.iterdir():
            if left.is_file():
                left.unlink(missing_ok=True)

    async def receive(self, name: str, announced: int | None, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Write what comes to a file, and return its id and its bytes.

        Args:
            name: what the browser calls it; only the end of it, such as ``.mp4``, is used for the file.
            announced: bytes that are said to come; None where nothing is said.
            chunks: what comes.

        Raises:
            TooLargeError: it is too large; nothing stays.
            OutputError: it cannot be written; nothing stays.
        """
        self._check(announced or 0)
        upload = "".join(secrets.choice(_LETTERS) for _ in range(12))
        path = self._folder / f"{upload}{_suffix_of(name)}"
        count = 0
        try:
            with path.open("xb") as file:
                async for chunk in chunks:
                    count += len(chunk)
                    self._check(count)
                    file.write(chunk)
        except OSError as error:
            path.unlink(missing_ok=True)
            if isinstance(error, HeatpropError):
                raise
            reason = error.strerror or error
            raise OutputError(
                f"the upload cannot be written ({reason}); see to room on the server's disk"
            ) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if not count:
            path.unlink(missing_ok=True)
            raise OutputError("the upload is empty; send the file as the request's body")
        self._names[upload] = path, _shown_name(name)
        while len(self._names) > _MOST_WAITING:
            left, _ = self._names.pop(next(iter(self._names)))
            left.unlink(missing_ok=True)
        return upload, count

    def find(self, upload: str) -> tuple[Path, str]:
        """Return the file of an upload, and its name for people.

        Raises:
            UnknownUploadError: there is none.
        """
        if _ID.fullmatch(upload) is None or upload not in self._names:
            raise UnknownUploadError(_NO_UPLOAD)
        return self._names[upload]

    def take(self, upload: str, target: Path) -> None:
        """Move the file of an upload.

        Raises:
            UnknownUploadError: there is none.
        """
        taken = self._names.pop(upload, None)
        if taken is None:
            raise UnknownUploadError(_NO_UPLOAD)
        os.replace(taken[0], target)

    def _check(self, count: int) -> None:
        if count > self.largest:
            raise TooLargeError(
                f"the file is larger than {self.largest / 1e9:g} GB; name its path as the source, or start "
                "heatprop app with a larger --max-upload"
            )


def _suffix_of(name: str) -> str:
    """Return the harmless end of a file's name.

    >>> _suffix_of("../../a/Street.MP4"), _suffix_of("x.m p/4"), _suffix_of("none")
    ('.mp4', '', '')
    """
    suffix = Path(name.replace("\\", "/")).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _shown_name(name: str) -> str:
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(each for each in last if each.isprintable())[:_LONGEST_NAME] or "upload"

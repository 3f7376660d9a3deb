"""What the user's name for a source says about where it is."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlparse

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_CAMERA = re.compile(r"camera:(\d+)|(/dev/(?:video\d+|v4l/.+))")
_FILE = "file://"


def is_address(name: str | Path) -> bool:
    """Return whether `name` goes over the network, such as ``https://...`` or ``rtsp://...``."""
    return isinstance(name, str) and bool(_ADDRESS.match(name)) and not name.lower().startswith(_FILE)


def shown(address: str | Path) -> str:
    """Return an address without the name and password it may carry, for messages and results.

    Example:
        >>> shown("rtsp://bob:s3cret@10.0.0.7/door"), shown("street@night.mp4")
        ('rtsp://***@10.0.0.7/door', 'street@night.mp4')
    """
    return _USER.sub("***@", address) if isinstance(address, str) and is_address(address) else str(address)


def camera_named(name: str) -> int | str | None:
    """Return number or device of the camera that `name` means; None if it means none.

    Example:
        >>> camera_named("camera:0"), camera_named("/dev/video2"), camera_named("street.mp4")
        (0, '/dev/video2', None)
    """
    camera = _CAMERA.fullmatch(name)
    if camera is None:
        return None
    return int(camera[1]) if camera[1] else name


def path_named(name: str) -> Path:
    """Return the path that `name` means, which may be written as ``file://``."""
    if not name.lower().startswith(_FILE):
        return Path(name)
    from urllib.request import url2pathname  # noqa: PLC0415 - 30 ms that only such a name needs

    return Path(url2pathname(urlparse(name).path))

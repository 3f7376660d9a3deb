"""What the user's name for a source says about where it is."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlparse

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
MASK = "***"
# Values of a query that say what is shown, not who may see it; of all others nobody knows.
_HARMLESS = frozenset({"camera", "channel", "fps", "height", "resolution", "subtype", "width"})
# A key is long and has letters and digits; a stream has its key last in the path.
_KEY = re.compile(
    r"(?=[^.]*\d)(?=[^.]*[A-Za-z])"
    r"(?:[A-Za-z0-9]{20,}|[A-Za-z0-9]{4}(?:-[A-Za-z0-9]{4}){3,}|live_[A-Za-z0-9_]+)(?:\.\w+)?"
)
_KEY_IS_LAST = frozenset({"rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts"})
_CAMERA = re.compile(r"camera:(\d+)|(/dev/(?:video\d+|v4l/.+))")
_FILE = "file://"


def is_address(name: str | Path) -> bool:
    """Return whether `name` goes over the network, such as ``https://...`` or ``rtsp://...``."""
    return isinstance(name, str) and bool(_ADDRESS.match(name)) and not name.lower().startswith(_FILE)


def shown(address: str | Path) -> str:
    """Return an address without what lets somebody in, for messages and results: passwords, tokens, stream keys.

    Example:
        >>> shown("rtsp://bob:s3cret@10.0.0.7/door?channel=1&token=abc"), shown("street@night.mp4")
        ('rtsp://***@10.0.0.7/door?channel=1&token=***', 'street@night.mp4')
        >>> shown("rtmp://example.org/app/abcd-1234")
        'rtmp://example.org/app/***'
    """
    if not isinstance(address, str) or not is_address(address):
        return str(address)
    rest, has_fragment, _ = _USER.sub(f"{MASK}@", address).partition("#")
    rest, has_query, query = rest.partition("?")
    scheme, _, place = rest.partition("://")
    host, *path = place.split("/")
    path = [MASK if _KEY.fullmatch(each) else each for each in path]
    if scheme.lower() in _KEY_IS_LAST and len(path) > 1 and path[-1]:
        path[-1] = MASK
    masked = "&".join(_masked(each) for each in query.split("&"))
    return f"{scheme}://{'/'.join([host, *path])}{has_query}{masked}{has_fragment and '#' + MASK}"


def _masked(parameter: str) -> str:
    name, is_given, value = parameter.partition("=")
    is_harmless = name.lower() in _HARMLESS and len(value) <= 9 and value.isalnum()
    if is_given:
        return f"{name}={value if is_harmless else MASK}"
    return MASK if name else ""


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

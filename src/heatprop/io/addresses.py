"""What the user's name for a source says about where it is."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlparse

from heatprop.io.secrets_in_addresses import MASK, masked_path, masked_query

__all__ = ["MASK", "camera_named", "is_address", "path_named", "shown"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
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
        >>> shown("rtmp://example.org/app/abcd-1234"), shown("rtsp://10.0.0.7/user=admin_password=abc_channel=1")
        ('rtmp://example.org/app/***', 'rtsp://10.0.0.7/user=***_channel=1')
    """
    if not isinstance(address, str) or not is_address(address):
        return str(address)
    scheme, _, rest = address.partition("://")
    user, rest = _user_and_rest(rest)
    rest, has_fragment, _ = rest.partition("#")
    rest, has_query, query = rest.partition("?")
    host, *path = rest.split("/")
    told = masked_path(path)
    filled = [place for place, piece in enumerate(path) if piece]
    if scheme.lower() in _KEY_IS_LAST and len(filled) > 1:
        told[filled[-1]] = MASK
    place = "/".join([*(masked_path([host]) if "=" in host else [host]), *told])
    return f"{scheme}://{user}{place}{has_query}{masked_query(query)}{has_fragment and '#' + MASK}"


def _user_and_rest(rest: str) -> tuple[str, str]:
    """Return what is shown of user and password, and what follows them.

    A password is often written as it is, with ``/``, ``?``, ``#`` or ``@`` in it. Where a colon and, later, an
    ``@`` stand, all up to the last ``@`` may be of it; a host that is masked too is the lesser harm.
    """
    before, is_there, after = rest.rpartition("@")
    if is_there and ":" not in before:
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        before, is_there, _ = authority.rpartition("@")
        after = rest[len(before) + 1 :]
    if not is_there:
        return "", rest
    return f"{MASK}@" if before else "", after


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

"""Open a video, whatever it is.

Each kind of source is imported when it is asked for: the one for files and addresses needs PyAV, 50 ms that
`import heatprop` must not cost.
"""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from heatprop.errors import SourceError, SourceNotFoundError, check_range
from heatprop.io.addresses import camera_named, is_address, path_named
from heatprop.io.frame_range import FrameRange, RangeSource
from heatprop.io.newest import NewestFrames
from heatprop.io.reconnecting import RECONNECT, ReconnectingSource
from heatprop.io.sources import OpenSource, VideoSource

if TYPE_CHECKING:
    from heatprop.io.image_headers import ImageHeader

_PLAYLISTS = (".m3u8", ".m3u", ".mpd")
_LONGEST_RECONNECT = 1e9


def open_video(
    source: str | os.PathLike[str] | int,
    *,
    reconnect: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    every: int = 1,
) -> VideoSource:
    """Open a video and read its first frame.

    A camera or a live stream gives the newest frame each time: what comes while nobody reads is dropped and
    counted (`NewestFrames`). Anything else gives every frame.

    Args:
        source: a video file; an ``http(s)``, ``rtsp`` or other address; a camera as number, ``camera:0`` or
            ``/dev/video0``; a folder of images, one image, or a pattern such as ``shots/*.jpg``.
        reconnect: seconds for which a live stream on the network that breaks is tried again; 0 for not at all;
            None: `RECONNECT`. A file on the network is not tried again; where seconds are given for one, its
            `notes` say so.
        start: seconds from the first frame at which to begin; 0 for a live source. Times stay those of the whole
            source, frames are counted from the first one given.
        end: seconds from the first frame before which to end; None for the end of the source.
        every: give the first frame and each so many after it; those left out are counted, too.

    Raises:
        SourceNotFoundError: there is no such file, folder, camera or page.
        SourceError: it cannot be read, holds no frames, none in the range, or is no name of a source.
        InvalidConfigError: a number lies outside its range.

    Example:
        >>> open_video("missing.mp4")
        Traceback (most recent call last):
            ...
        heatprop.errors.SourceNotFoundError: missing.mp4: no such file; check the path
    """
    wanted = FrameRange(start=start, end=end, every=every)
    if reconnect is not None:
        check_range("reconnect", reconnect, 0, _LONGEST_RECONNECT)
    video = _open(source, reconnect)
    return video if wanted.is_everything else RangeSource(video, wanted)


def _open(source: str | os.PathLike[str] | int, reconnect: float | None) -> VideoSource:
    if isinstance(source, bool) or not isinstance(source, str | os.PathLike | Integral):
        raise SourceError(f"{type(source).__name__} is no video source; {_remedy(source)}")
    name = str(source) if isinstance(source, Integral) else os.fspath(source)
    camera = int(source) if isinstance(source, Integral) else camera_named(name)
    if camera is not None:
        from heatprop.io.camera import CameraSource  # noqa: PLC0415

        return NewestFrames(CameraSource(camera))
    from heatprop.io.folders import is_pattern  # noqa: PLC0415
    from heatprop.io.image_headers import header_of  # noqa: PLC0415
    from heatprop.io.images import ImageSource  # noqa: PLC0415
    from heatprop.io.names import videos_of  # noqa: PLC0415
    from heatprop.io.suffixes import IMAGE_SUFFIXES  # noqa: PLC0415

    remote = is_address(name)
    path = path_named(name)
    try:
        is_images = not remote and (path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES or is_pattern(path))
        is_missing = not remote and not is_images and not path.exists()
    except OSError as error:
        raise SourceError(f"{name}: cannot be read ({error.strerror}); check the path") from None
    if is_images and (videos := videos_of(name)):
        raise SourceError(
            f"{name} holds {len(videos)} videos, each a source of its own; give them to "
            "MultiStreamDetector, or the folder to heatprop detect"
        )
    header = None if remote or not path.is_file() else header_of(path)
    if header is not None and header.holds_several and header.kind != "JPEG":
        return _open_several(path, header)
    if is_images:
        return ImageSource(path)
    if is_missing:
        remedy = f"for a camera write camera:{name}" if name.isdecimal() else "check the path"
        raise SourceNotFoundError(f"{name}: no such file; {remedy}")
    from heatprop.io.container_source import ContainerSource  # noqa: PLC0415

    return _open_remote(name, reconnect) if remote else ContainerSource(path)


def _open_remote(name: str, reconnect: float | None) -> VideoSource:
    """Open an address: a file whole, a live stream as its newest frames, opened again where it breaks."""
    from heatprop.io.container_source import ContainerSource  # noqa: PLC0415

    video = _open_address(name)
    if not video.info.is_paced:
        if reconnect and isinstance(video, OpenSource):
            video.note(f"{reconnect:g} s to reconnect were given, and only live streams are opened again")
        return video
    at_its_times = isinstance(video, ContainerSource) and video.comes_in_pieces
    seconds = RECONNECT if reconnect is None else reconnect
    if seconds > 0:
        video = ReconnectingSource(lambda: _open_address(name), seconds, opened=video)
    return NewestFrames(video, at_its_times=at_its_times)


def _open_several(path: Path, header: ImageHeader) -> VideoSource:
    """Open an image file that holds a video: an animation, a sequence, or pages."""
    from heatprop.io.animations import AnimationSource  # noqa: PLC0415
    from heatprop.io.container_source import ContainerSource  # noqa: PLC0415
    from heatprop.io.image_headers import too_large  # noqa: PLC0415
    from heatprop.io.tiff_source import TiffSource  # noqa: PLC0415

    if header.kind == "TIFF":
        return TiffSource(path)
    problem = too_large(header.width, header.height)
    if problem is not None:
        raise SourceError(f"{path}: an image in it {problem}; make it smaller first")
    return AnimationSource(path) if header.kind == "WebP" else ContainerSource(path)


def _open_address(name: str) -> VideoSource:
    """Open an address; live streams over HTTP by way of `HttpStream`, which knows when they are cut off."""
    from heatprop.io.container import TIMEOUT  # noqa: PLC0415
    from heatprop.io.container_source import ContainerSource  # noqa: PLC0415
    from heatprop.io.http_stream import HttpStream  # noqa: PLC0415
    from heatprop.io.mjpeg import MjpegSource  # noqa: PLC0415

    if not name.lower().startswith(("http://", "https://")):
        return ContainerSource(name, is_remote=True)
    stream = HttpStream(name, TIMEOUT)
    kind = stream.content_type.lower()
    if kind.startswith("multipart/"):
        return MjpegSource(name, stream)
    path = urlsplit(name).path.lower()
    if stream.has_end or path.endswith(_PLAYLISTS) or any(each in kind for each in ("mpegurl", "dash", "xml")):
        stream.close()
        return ContainerSource(name, is_remote=True)
    return ContainerSource(name, is_remote=True, stream=stream)


def _remedy(source: Any) -> str:
    if isinstance(source, list | tuple | set):
        return "give one at a time, or several to MultiStreamDetector.stream"
    if hasattr(source, "isOpened") and hasattr(source, "retrieve"):
        return "give what it was opened with: a path, an address, or the number of a camera"
    if hasattr(source, "read") and hasattr(source, "name"):
        return "give the path of the file"
    if hasattr(source, "ndim") or hasattr(source, "__next__"):
        return "give frames of your own one by one to VideoDetector.update"
    return "give a path, an address, or the number of a camera"

"""What comes with a frame, known to PyAV or not, spoils nothing; its display matrix is followed."""

import gc
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from heatprop.io import open_video
from small_videos import paint, red_corner

CORNERS = {
    1: "top left",
    2: "top right",
    3: "bottom right",
    4: "bottom left",
    5: "top left",
    6: "top right",
    7: "bottom right",
    8: "bottom left",
}
# Before FFmpeg 8 the orientation of a frame within a video is not read.
follows_exif = pytest.mark.skipif(av.library_versions["libavcodec"][0] < 62, reason="libav reads no EXIF")


def jpeg_with_exif(image: np.ndarray, orientation: int) -> bytes:
    """Return the image with the tag of orientation, as cameras write it."""
    entry = struct.pack("<HHIHH", 274, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    data = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def png_with_profile(image: np.ndarray) -> bytes:
    """Return the image with a colour profile that has a name."""
    content = b"iCCP" + b"a name\0\0" + zlib.compress(b"not a profile")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    data = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    return data[:33] + chunk + data[33:]


def write_frames(path: Path, codec: str, pixel_format: str, frames: list[bytes]) -> Path:
    """Write encoded frames as the packets of a video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        container.start_encoding()
        for number, frame in enumerate(frames):
            packet = av.Packet(frame)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), True
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    "orientation", [pytest.param(each, marks=follows_exif if each > 1 else ()) for each in CORNERS]
)
@pytest.mark.parametrize("suffix", [".avi", ".mov", ".mkv"])
def test_jpegs_of_a_camera_are_laid_as_their_exif_says(suffix: str, orientation: int, tmp_path: Path) -> None:
    encoded = [jpeg_with_exif(paint(number), orientation) for number in range(6)]
    path = write_frames(tmp_path / f"camera{suffix}", "mjpeg", "yuvj420p", encoded)
    with open_video(path) as video:
        frames = list(video)
        assert video.skipped == 0
    assert len(frames) == 6
    assert {red_corner(frame.image) for frame in frames} == {CORNERS[orientation]}
    turned = orientation > 4
    assert {frame.image.shape for frame in frames} == {(64, 48, 3) if turned else (48, 64, 3)}


def test_a_photograph_under_another_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "photograph.bin"
    path.write_bytes(jpeg_with_exif(paint(3), 1))
    with open_video(path) as video:
        assert [red_corner(frame.image) for frame in video] == ["top left"]


def test_a_colour_profile_with_a_name_spoils_no_memory(tmp_path: Path) -> None:
    encoded = [png_with_profile(paint(number)) for number in range(8)]
    path = write_frames(tmp_path / "profile.mov", "png", "rgb24", encoded)
    for _ in range(5):
        with open_video(path) as video:
            assert len(list(video)) == 8
        gc.collect()

"""An image file that holds several is told by its contents; all its images are read, or it is said."""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from heatprop.errors import SourceError
from heatprop.io import open_video
from heatprop.io.image_files import ImageState, inspect_image, read_image
from heatprop.io.image_headers import header_of
from small_videos import number_of, paint, red_corner

COUNT = 12
TESTS = str(Path(__file__).parents[1])
WRITE_AVIF = """
import sys
import av
from small_videos import paint

with av.open(sys.argv[1], "w", format="avif") as container:
    stream = container.add_stream("libsvtav1", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    for number in range(5):
        frame = av.VideoFrame.from_ndarray(paint(number, 64, 64)).reformat(format="yuv420p")
        frame.pts = number
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
"""
HAS_WEBP = hasattr(cv2, "imreadanimation")


def holds_several(path: Path) -> bool:
    header = header_of(path)
    assert header is not None
    return header.holds_several


def write_animation(path: Path, codec: str, kind: str, pixel_format: str, stamps: list[int]) -> Path:
    """Write frames at `stamps` in hundredths of a second."""
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=Fraction(100))
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        stream.codec_context.time_base = Fraction(1, 100)
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(paint(number)).reformat(format=pixel_format)
            frame.pts, frame.time_base = stamp, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_png(path: Path, stamps: list[int]) -> Path:
    return write_animation(path, "apng", "apng", "rgb24", stamps)


def write_webp(path: Path, stamps: list[int]) -> Path:
    return write_animation(path, "libwebp_anim", "webp", "bgra", stamps)


def write_gif(path: Path, stamps: list[int]) -> Path:
    return write_animation(path, "gif", "gif", "rgb8", stamps)


def write_tiff(path: Path) -> Path:
    pages = [np.ascontiguousarray(paint(number)[..., ::-1]) for number in range(COUNT)]
    target = path.with_name("pages.tiff")
    assert cv2.imwritemulti(str(target), pages)
    return target.rename(path)


def write_still(path: Path, kind: str) -> Path:
    done, data = cv2.imencode(kind, np.ascontiguousarray(paint(0)[..., ::-1]))
    assert done
    path.write_bytes(data.tobytes())
    return path


def write_stereo(path: Path) -> Path:
    """Write two JPEGs behind each other, with an index of both in the first."""
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(paint(0)[..., ::-1]))
    assert done
    jpeg = data.tobytes()
    index = b"MPF\0MM\0*\0\0\0\x08\0\x01\xb0\x01\0\x04\0\0\0\x01\0\0\0\x02\0\0\0\0"
    path.write_bytes(jpeg[:2] + b"\xff\xe2" + (len(index) + 2).to_bytes(2, "big") + index + jpeg[2:] + jpeg)
    return path


STAMPS = [0, 4, 8, 12, 16, 20, 40, 44, 48, 52, 56, 60]


@pytest.mark.parametrize(
    ("write", "suffixes"),
    [
        (write_png, [".png", ".apng", ".webp", ".jpg"]),
        (write_webp, [".webp", ".png", ".gif"]),
        (write_gif, [".gif", ".png"]),
    ],
)
def test_an_animation_is_read_whole_with_its_times_whatever_its_name(
    write: Callable[[Path, list[int]], Path], suffixes: list[str], tmp_path: Path
) -> None:
    for suffix in suffixes:
        path = write(tmp_path / f"clip{suffix}", STAMPS)
        if write is write_webp and not HAS_WEBP:
            with pytest.raises(SourceError, match=r"OpenCV reads from 4\.11"):
                open_video(path)
            continue
        with open_video(path) as video:
            frames = list(video)
            assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
            assert [frame.time for frame in frames] == pytest.approx([stamp / 100 for stamp in STAMPS], abs=0.002)
            assert {red_corner(frame.image) for frame in frames} == {"top left"}
            assert [frame.time for frame in video] == [frame.time for frame in frames]
            assert (video.skipped, video.notes) == (0, [])


@pytest.mark.parametrize("suffix", [".avif", ".png"])
def test_a_sequence_in_avif_is_read_whole(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.avif"
    # In a process of its own: where it may, the encoder gives the thread that calls it priority over everything.
    subprocess.run([sys.executable, "-c", WRITE_AVIF, path], env={**os.environ, "PYTHONPATH": TESTS}, check=True)
    path = path.rename(tmp_path / f"clip{suffix}")
    assert holds_several(path)
    with open_video(path) as video:
        frames = list(video)
    assert [number_of(frame.image) for frame in frames] == list(range(5))
    assert [frame.time for frame in frames] == pytest.approx([number / 25 for number in range(5)], abs=0.001)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_the_pages_of_a_tiff_are_frames(suffix: str, tmp_path: Path) -> None:
    with open_video(write_tiff(tmp_path / f"scan{suffix}")) as video:
        frames = list(video)
        assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
        assert [frame.time for frame in frames] == pytest.approx([number / 25 for number in range(COUNT)])
        assert (video.info.frame_count, video.info.frame_rate) == (COUNT, 25)


@pytest.mark.parametrize("white", [1023, 4095, 65535])
def test_pages_of_more_than_8_bits_are_scaled_by_what_they_hold(white: int, tmp_path: Path) -> None:
    pages = [np.full((8, 8, 3), white * number // 39, np.uint16) for number in range(40)]
    assert cv2.imwritemulti(str(tmp_path / "deep.tif"), pages)
    with open_video(tmp_path / "deep.tif") as video:
        seen = [int(frame.image[0, 0, 0]) for frame in video]
        notes = list(video.notes)
    assert seen == [round(255 * (white * number // 39) / white) for number in range(40)]
    bits = {1023: ["10"], 4095: ["12"], 65535: []}[white]
    assert notes == [f"the pages hold {each} bits in files of more; they are scaled to these" for each in bits]


def enlarge_tiff(path: Path) -> None:
    """Let the last page claim 20,000 x 20,000 pixels."""
    write_tiff(path)
    data = path.read_bytes()
    for tag, value in ((b"\x00\x01", 64), (b"\x01\x01", 48)):
        place = data.rindex(tag + b"\x03\0\x01\0\0\0" + value.to_bytes(2, "little"))
        data = data[: place + 8] + (20_000).to_bytes(2, "little") + data[place + 10 :]
    path.write_bytes(data)


def enlarge_png(path: Path) -> None:
    data = write_png(path, STAMPS).read_bytes()
    head = b"IHDR" + struct.pack(">II", 20_000, 20_000) + data[24:29]
    path.write_bytes(data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:])


def enlarge_gif(path: Path) -> None:
    data = write_gif(path, STAMPS).read_bytes()
    path.write_bytes(data[:6] + struct.pack("<HH", 20_000, 20_000) + data[10:])


def enlarge_webp(path: Path) -> None:
    data = write_webp(path, STAMPS).read_bytes()
    path.write_bytes(data[:24] + (2 * (16_383).to_bytes(3, "little")) + data[30:])


@pytest.mark.parametrize("enlarge", [enlarge_tiff, enlarge_png, enlarge_gif, enlarge_webp])
def test_images_of_gigabytes_are_refused(enlarge: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "large"
    enlarge(path)
    with pytest.raises(SourceError, match=r"million, and at most 200 are read") as caught:
        open_video(path)
    assert "\n" not in str(caught.value)


def test_long_animations_are_read_in_pieces(tmp_path: Path) -> None:
    pages = [np.full((8, 8, 3), number, np.uint8) for number in range(70)]
    assert cv2.imwritemulti(str(tmp_path / "long.tif"), pages)
    with open_video(tmp_path / "long.tif") as video:
        assert [int(frame.image[0, 0, 0]) for frame in video] == list(range(70))


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_a_still_image_holds_one(kind: str, tmp_path: Path) -> None:
    path = write_still(tmp_path / f"still{kind}", kind)
    assert not holds_several(path)
    with open_video(path) as video:
        assert len(list(video)) == 1
        assert video.notes == []


def test_of_a_stereo_photograph_the_first_is_read_and_it_is_said(tmp_path: Path) -> None:
    path = write_stereo(tmp_path / "stereo.jpg")
    assert holds_several(path)
    with open_video(path) as video:
        assert len(list(video)) == 1
        assert video.notes == ["it holds several images; only the first of them is read"]


def with_index(kinds: list[int], order: str = ">") -> bytes:
    """Return a JPEG with an index of images of these kinds."""
    entries = b"".join(struct.pack(order + "IIIHH", kind, 0, 0, 0, 0) for kind in kinds)
    index = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, 2)
    index += struct.pack(order + "HHII", 0xB001, 4, 1, len(kinds))
    index += struct.pack(order + "HHIII", 0xB002, 7, len(entries), 8 + 2 + 24 + 4, 0) + entries
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(paint(0)[..., ::-1]))
    assert done
    part = b"MPF\0" + index
    jpeg = data.tobytes()
    return jpeg[:2] + b"\xff\xe2" + (len(part) + 2).to_bytes(2, "big") + part + jpeg[2:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kinds", "several"),
    [([0x030000], False), ([0x030000, 0x010001, 0x010002], False), ([0x030000, 0x020002], True), ([0, 0], True)],
)
def test_a_photograph_with_smaller_copies_of_itself_holds_one_image(
    kinds: list[int], several: bool, order: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(with_index(kinds, order))
    assert holds_several(path) is several
    for quick in (False, True):
        state = inspect_image(path, quick=quick)
        assert (state.problem, state.holds_several) == (None, several)


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_a_gif_of_one_frame_is_that_frame(suffix: str, tmp_path: Path) -> None:
    path = write_gif(tmp_path / f"a{suffix}", [0])
    assert not holds_several(path)
    with open_video(path) as video:
        (frame,) = video
    assert number_of(frame.image) == 0
    assert number_of(read_image(path)) == 0
    assert inspect_image(path) == ImageState((64, 48))
    assert inspect_image(write_gif(path, [0, 4])) == ImageState((64, 48), holds_several=True)


def test_in_a_folder_the_first_image_of_each_file_is_read_and_it_is_said(tmp_path: Path) -> None:
    write_still(tmp_path / "a.png", ".png")
    write_png(tmp_path / "b.png", STAMPS)
    write_tiff(tmp_path / "c.tif")
    with open_video(tmp_path) as video:
        for _ in range(2):
            assert [number_of(frame.image) for frame in video] == [0, 0, 0]
            assert video.notes == ["files here hold several images; only the first of them is read"]


@pytest.mark.parametrize("length", [0, 3, 12, 20, 33, 50])
def test_what_is_cut_off_is_no_animation(length: int, tmp_path: Path) -> None:
    for write in (write_png, write_webp, write_gif):
        path = write(tmp_path / "clip.bin", STAMPS)
        path.write_bytes(path.read_bytes()[:length])
        header_of(path)
    path = write_stereo(tmp_path / "stereo.bin")
    path.write_bytes(path.read_bytes()[:length])
    header_of(path)


def test_a_damaged_animation_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = write_webp(tmp_path / "clip.webp", STAMPS)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceError) as caught:
        open_video(path)
    assert "\n" not in str(caught.value)
    path = write_tiff(tmp_path / "scan.tif")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceError) as caught:
        open_video(path)
    assert "\n" not in str(caught.value)

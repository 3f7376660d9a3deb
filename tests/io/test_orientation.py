"""All ways in which a display matrix may lay an image, and what is made of a matrix between them."""

import math
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from heatprop.io import VideoSink, open_video
from heatprop.io.orientation import UPRIGHT, Orientation, follow_matrix
from small_videos import build_video, put_matrix, red_corner

# Of a clip with a red block top left: the matrix, and where the block is to be seen.
EIGHT = {
    "upright": ((1, 0, 0, 1), "top left"),
    "turned a quarter": ((0, 1, -1, 0), "top right"),
    "turned a half": ((-1, 0, 0, -1), "bottom right"),
    "turned three quarters": ((0, -1, 1, 0), "bottom left"),
    "mirrored left to right": ((-1, 0, 0, 1), "top right"),
    "mirrored top to bottom": ((1, 0, 0, -1), "bottom left"),
    "transposed": ((0, 1, 1, 0), "top left"),
    "transposed the other way": ((0, -1, -1, 0), "bottom right"),
}


def matrix_of(a: float, b: float, c: float, d: float) -> tuple[int, ...]:
    a, b, c, d = (round(value * (1 << 16)) for value in (a, b, c, d))
    return (a, b, 0, c, d, 0, 0, 0, 1 << 30)


def lay_slowly(image: np.ndarray, matrix: tuple[float, ...]) -> np.ndarray:
    """Move each point by itself: (p, q) to (a p + c q, b p + d q), then to where all are from 0."""
    a, b, c, d = matrix
    height, width, _ = image.shape
    seen = {(a * p + c * q, b * p + d * q): image[q, p] for p, q in product(range(width), range(height))}
    columns, rows = (sorted({place[axis] for place in seen}) for axis in (0, 1))
    return np.array([[seen[column, row] for column in columns] for row in rows], np.uint8)


@pytest.mark.parametrize("name", EIGHT)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_point_goes_where_the_matrix_says(name: str, channels: int) -> None:
    image = np.arange(4 * 5 * channels, dtype=np.uint8).reshape(4, 5, channels)
    laid = follow_matrix(matrix_of(*EIGHT[name][0])).apply(image)
    np.testing.assert_array_equal(laid, lay_slowly(image, EIGHT[name][0]))
    assert laid.flags.c_contiguous


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("name", EIGHT)
def test_a_video_is_seen_as_its_matrix_lays_it(name: str, suffix: str, tmp_path: Path) -> None:
    matrix, corner = EIGHT[name]
    path = put_matrix(build_video(tmp_path / f"laid{suffix}", 4), matrix_of(*matrix))
    with open_video(path) as video:
        frames = list(video)
        size = (64, 48) if matrix[0] else (48, 64)
        assert (video.info.width, video.info.height) == size
        assert {frame.image.shape for frame in frames} == {(size[1], size[0], 3)}
        assert {red_corner(frame.image) for frame in frames} == {corner}
        assert video.notes == []


@pytest.mark.parametrize("name", ["mirrored left to right", "transposed"])
def test_what_is_written_is_upright(name: str, tmp_path: Path) -> None:
    matrix, corner = EIGHT[name]
    source = put_matrix(build_video(tmp_path / "in.mp4", 4), matrix_of(*matrix))
    with open_video(source) as video, VideoSink(tmp_path / "out.mp4", video.info) as sink:
        for frame in video:
            sink.write(frame.image, frame.time)
    with open_video(tmp_path / "out.mp4") as video:
        assert {red_corner(frame.image) for frame in video} == {corner}


@pytest.mark.parametrize("name", ["turned a quarter", "mirrored left to right"])
def test_the_orientation_that_h264_itself_says_is_followed(name: str, tmp_path: Path) -> None:
    matrix, corner = EIGHT[name]
    path = build_video(tmp_path / "plain.h264", 4, options={"g": "1", "x264-params": "slices=1"})
    path.write_bytes(with_display_orientation(path.read_bytes(), matrix))
    with open_video(path) as video:
        assert {red_corner(frame.image) for frame in video} == {corner}


def with_display_orientation(stream: bytes, matrix: tuple[float, ...]) -> bytes:
    """Put a display orientation message (H.264, D.1.27) before each frame of a byte stream."""
    a, b, c, d = matrix
    is_mirrored = a * d - b * c < 0
    # The message says mirror first, then how many degrees anticlockwise.
    angle = round(math.degrees(math.atan2(-b, -a if is_mirrored else a))) % 360 if a or b else 0
    bits = "0" + ("1" if is_mirrored else "0") + "0" + format(angle * 65536 // 360, "016b") + "1" + "0"
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    payload = int(bits, 2).to_bytes(len(bits) // 8, "big")
    unit = bytes([6, 47, len(payload)]) + payload + b"\x80"
    escaped = unit.replace(b"\x00\x00\x00", b"\x00\x00\x03\x00")
    frame = b"\x00\x00\x01\x65"
    return stream.replace(frame, b"\x00\x00\x01" + escaped + frame)


def turned(degrees: float, *, mirrored: bool = False) -> tuple[int, ...]:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    sign = -1 if mirrored else 1
    return matrix_of(sign * cosine, sign * sine, -sine, cosine)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("near", [0, 90, 180, 270])
def test_a_turn_between_quarters_goes_to_the_nearest_and_says_so(near: int, mirrored: bool) -> None:
    quarter = follow_matrix(turned(near, mirrored=mirrored))
    assert quarter.is_exact
    for degrees in (-40, -5, 5, 40):
        between = follow_matrix(turned(near + degrees, mirrored=mirrored))
        assert not between.is_exact
        image = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3, 1)
        np.testing.assert_array_equal(between.apply(image), quarter.apply(image))


def test_a_video_turned_by_half_a_quarter_is_noted(tmp_path: Path) -> None:
    path = put_matrix(build_video(tmp_path / "leaning.mp4", 3), turned(30))
    with open_video(path) as video:
        assert {red_corner(frame.image) for frame in video} == {"top left"}
        assert len(video.notes) == 1
        assert "quarter turn" in video.notes[0]


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 0)])
def test_a_matrix_that_flattens_the_image_is_passed_over(matrix: tuple[float, ...]) -> None:
    assert follow_matrix(matrix_of(*matrix)) == UPRIGHT


def test_a_matrix_that_also_scales_is_followed() -> None:
    assert follow_matrix(matrix_of(-0.25, 0, 0, 3)) == Orientation(mirrored=True)


def written_ratio(source: Path, target: Path, *, width: int | None = None) -> tuple[Fraction, Fraction]:
    with open_video(source) as video, VideoSink(target, video.info, width=width) as sink:
        for frame in video:
            sink.write(frame.image, frame.time)
        first = video.info.sample_aspect_ratio
    with open_video(target) as video:
        return first, video.info.sample_aspect_ratio


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("width", [None, 128])
def test_pixels_that_are_not_square_are_written_so(suffix: str, width: int | None, tmp_path: Path) -> None:
    source = build_video(tmp_path / "dvd.mkv", 4, sample_aspect_ratio=Fraction(16, 9))
    ratios = written_ratio(source, tmp_path / f"out{suffix}", width=width)
    assert ratios == (Fraction(16, 9), Fraction(16, 9))


def test_a_quarter_turn_turns_the_pixels_too(tmp_path: Path) -> None:
    source = build_video(tmp_path / "phone.mp4", 4, sample_aspect_ratio=Fraction(4, 3))
    put_matrix(source, matrix_of(*EIGHT["turned a quarter"][0]))
    assert written_ratio(source, tmp_path / "out.mp4") == (Fraction(3, 4), Fraction(3, 4))


def test_square_pixels_stay_square(tmp_path: Path) -> None:
    assert written_ratio(build_video(tmp_path / "in.mp4", 3), tmp_path / "out.mp4") == (1, 1)


def test_a_shape_of_pixels_that_changes_on_the_way_is_noted(tmp_path: Path) -> None:
    parts = [
        build_video(tmp_path / f"{number}.ts", 4, sample_aspect_ratio=Fraction(number, 9)) for number in (16, 8)
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_video(path) as video:
        assert len(list(video)) == 8
        assert video.info.sample_aspect_ratio == Fraction(16, 9)
        assert [note for note in video.notes if "16/9" in note and "8/9" in note]

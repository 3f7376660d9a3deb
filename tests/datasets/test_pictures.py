"""A picture file is whole, or it is said what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.datasets.pictures import PictureState, inspect_picture, jpeg_size
from heatprop.types import ImageArray

NOISE = np.random.default_rng(2).integers(0, 256, (90, 120, 3), np.uint8)
SMOOTH = cv2.GaussianBlur(NOISE, (0, 0), 6)


def encode(suffix: str, image: ImageArray = NOISE, *options: int) -> bytes:
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


JPEG = encode(".jpg")
WHOLE = {
    "jpeg": JPEG,
    "smooth jpeg": encode(".jpg", SMOOTH),
    "progressive jpeg": encode(".jpg", NOISE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restart markers": encode(".jpg", NOISE, cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    "grey jpeg": encode(".jpg", NOISE[..., 0]),
    "full chroma": encode(".jpg", NOISE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "bytes after the end": JPEG + b"\0" * 40,
    "a long comment": JPEG[:2] + (b"\xff\xfe\xff\xff" + b"c" * 0xFFFD) * 2 + JPEG[2:],
    "fill bytes": JPEG[:2] + b"\xff\xff" + JPEG[2:],
    "png": encode(".png"),
    "bmp": encode(".bmp"),
    "webp": encode(".webp"),
}
DAMAGED = {
    "empty": (b"", "is empty"),
    "text": (b"no picture" * 40, "is no picture"),
    "jpeg cut in half": (JPEG[: len(JPEG) // 2], "is cut off: its end is missing"),
    "jpeg without its last byte": (JPEG[:-1], "is cut off: its end is missing"),
    "jpeg cut in the header": (JPEG[:100], "its header is not whole"),
    "png cut in half": (encode(".png")[:-2000], "is cut off: its end is missing"),
    "jpeg of a side 0": (JPEG.replace(b"\x00\x5a\x00\x78", b"\x00\x00\x00\x78"), "its header is not whole"),
}


def write(folder: Path, data: bytes) -> Path:
    path = folder / "a.JPEG"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_a_whole_picture_is_measured_and_nothing_found(tmp_path: Path, data: bytes, quick: bool) -> None:
    assert inspect_picture(write(tmp_path, data), quick=quick) == PictureState((120, 90))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(("data", "problem"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_picture_is_told(tmp_path: Path, data: bytes, problem: str, quick: bool) -> None:
    state = inspect_picture(write(tmp_path, data), quick=quick)
    assert state.problem is not None
    assert problem in state.problem
    assert not state.is_missing


def test_most_holes_in_a_real_picture_are_found_by_decoding_and_none_by_a_quick_look(
    tmp_path: Path, street_image: ImageArray
) -> None:
    data = encode(".jpg", street_image)
    places = range(1000, len(data) - 4000, 1000)
    found = 0
    for start in places:
        path = write(tmp_path, data[:start] + b"\0" * 2048 + data[start + 2048 :])
        found += inspect_picture(path).problem is not None
        assert inspect_picture(path, quick=True).problem is None
    assert found > 0.7 * len(places), f"{found} of {len(places)}"


def test_a_missing_picture_and_one_that_cannot_be_read_differ(tmp_path: Path) -> None:
    assert inspect_picture(tmp_path / "gone.JPEG") == PictureState(None, "is missing", is_missing=True)
    folder = inspect_picture(tmp_path)
    assert folder.problem == "cannot be read (Is a directory)"
    assert not folder.is_missing


@given(st.integers(1, 400), st.integers(1, 400))
def test_the_size_in_the_header_is_the_size_decoded(width: int, height: int) -> None:
    assert jpeg_size(encode(".jpg", np.zeros((height, width, 3), np.uint8))) == (width, height)


@given(
    st.binary(max_size=60).map(lambda tail: b"\xff\xd8" + tail) | st.integers(0, len(JPEG)).map(lambda n: JPEG[:n])
)
def test_any_header_is_read_or_not(data: bytes) -> None:
    size = jpeg_size(data)
    assert size is None or min(size) > 0


@given(st.integers(0, len(JPEG) - 1))
def test_a_jpeg_cut_off_anywhere_is_found_by_both(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = write(tmp_path_factory.mktemp("cut"), JPEG[:length])
    assert inspect_picture(path).problem is not None
    assert inspect_picture(path, quick=True).problem is not None

"""One reader of images: whoever reads one finds the same damage, the same size and the same way up."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.errors import SourceError
from heatprop.io.image_files import ImageError, ImageState, inspect_image, read_image
from heatprop.io.image_headers import read_header
from heatprop.io.images import ImageSource
from heatprop.io.levels import Levels, to_eight_bits
from heatprop.io.sequence_reader import SequenceReader
from heatprop.types import ImageArray
from tiff_files import tiff

NOISE = np.random.default_rng(2).integers(0, 256, (90, 120, 3), np.uint8)
SMOOTH = cv2.GaussianBlur(NOISE, (0, 0), 6)
SUFFIXES = [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm"]


def encode(suffix: str, image: np.ndarray = NOISE, *options: int) -> bytes:
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def exif(orientation: int, order: str = "<") -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def with_exif(suffix: str, image: ImageArray, orientation: int, order: str = "<") -> bytes:
    """Return an image that says how it is to be turned."""
    data, tags = encode(suffix, image), exif(orientation, order)
    if suffix == ".jpg":
        part = b"Exif\0\0" + tags
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + data[2:]
    if suffix == ".png":
        return data[:33] + chunk(b"eXIf", tags) + data[33:]
    if suffix == ".webp":
        height, width = image.shape[:2]
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        parts = b"VP8X" + struct.pack("<II", 10, 8) + sides + data[12:]
        parts += b"EXIF" + struct.pack("<I", len(tags)) + tags + bytes(len(tags) % 2)
        return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts
    return tiff(image[..., ::-1], orientation, order)


def two_frames() -> bytes:
    """Return an animated PNG whose first image is `NOISE`."""
    data = encode(".png")
    return data[:33] + chunk(b"acTL", struct.pack(">II", 2, 0)) + data[33:]


JPEG, PNG = encode(".jpg"), encode(".png")
HALF = len(JPEG) // 2
HOLE = JPEG[:HALF] + bytes(2000) + JPEG[HALF + 2000 :]
JFIF_9 = JPEG.replace(b"JFIF\0\1\1", b"JFIF\0\x09\1")
WHOLE = {
    "jpeg": JPEG,
    "smooth jpeg": encode(".jpg", SMOOTH),
    "progressive jpeg": encode(".jpg", NOISE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restart markers": encode(".jpg", NOISE, cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    "grey jpeg": encode(".jpg", NOISE[..., 0]),
    "full chroma": encode(".jpg", NOISE, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "bytes after the end": JPEG + b"\0" * 40,
    "a video after the end": JPEG + b"\0\0\0\x18ftypmp42" + bytes(9000),
    "a long comment": JPEG[:2] + (b"\xff\xfe\xff\xff" + b"c" * 0xFFFD) * 2 + JPEG[2:],
    "fill bytes": JPEG[:2] + b"\xff\xff" + JPEG[2:],
    "a revision of JFIF that nobody knows": JFIF_9,
    "png": PNG,
    "16-bit png": encode(".png", NOISE.astype(np.uint16) * 257),
    "grey png": encode(".png", NOISE[..., 0]),
    "transparent png": encode(".png", np.dstack([NOISE, NOISE[..., 0]])),
    "png with a bad text": PNG[:33] + chunk(b"tEXt", b"a\0b")[:-1] + b"?" + PNG[33:],
    "png with a colour profile that is none": PNG[:33] + chunk(b"iCCP", b"a\0\0" + zlib.compress(b"")) + PNG[33:],
    "animated png": two_frames(),
    "bmp": encode(".bmp"),
    "webp": encode(".webp", NOISE, cv2.IMWRITE_WEBP_QUALITY, 80),
    "lossless webp": encode(".webp", NOISE, cv2.IMWRITE_WEBP_QUALITY, 101),
    "tiff": encode(".tiff"),
    "tiff of the other byte order": tiff(NOISE, order=">"),
    "big tiff": tiff(NOISE, big=True),
    "float tiff": tiff(NOISE.astype(np.float32) / 255),
    "ppm": encode(".ppm"),
    "pgm": encode(".pgm", NOISE[..., 0]),
    "jpeg 2000": encode(".jp2"),
}
PIXELS_AT = struct.pack("<HHI", 273, 4, 1)
FAR = tiff(NOISE).replace(PIXELS_AT + struct.pack("<I", 8), PIXELS_AT + struct.pack("<I", 1 << 20))
# What is in the file, and what is said of it; True: a quick check, of header and end alone, finds it too.
DAMAGED: dict[str, tuple[bytes, str, bool]] = {
    "empty": (b"", "is empty", True),
    "text": (b"no image" * 40, "no image of a known kind", True),
    "a page of the web": (b"<!DOCTYPE html><html>404</html>", "no image of a known kind", True),
    "jpeg cut in half": (JPEG[:HALF], "is cut off: its end is missing", True),
    "jpeg without its last byte": (JPEG[:-1], "is cut off: its end is missing", True),
    "jpeg cut in the header": (JPEG[:100], "its header is not whole", True),
    "jpeg with a hole": (HOLE, "is damaged: ", False),
    "jpeg of noise": (JPEG[:HALF] + NOISE.tobytes()[:3000] + JPEG[HALF + 3000 :], "is damaged: ", False),
    "jpeg with a marker that is none": (JPEG[:HALF] + b"\xff\xc8\0\x04ab" + JPEG[HALF:], "is damaged: ", False),
    "progressive jpeg cut": (WHOLE["progressive jpeg"][:-3000], "is cut off: its end is missing", True),
    "jpeg with two faults": (JFIF_9[:HALF] + bytes(2000) + JFIF_9[HALF + 2000 :], "is damaged: ", False),
    "png cut in half": (PNG[:-2000], "its end is missing", True),
    "png with a hole": (PNG[:9000] + bytes(40) + PNG[9040:], "checksum", False),
    "jpeg of a side 0": (JPEG.replace(b"\x00\x5a\x00\x78", b"\x00\x00\x00\x78"), "its header is not whole", True),
    "webp cut": (WHOLE["webp"][:-900], "is cut off", True),
    "tiff cut": (tiff(NOISE)[: 8 + NOISE.size // 2], "its header is not whole", True),
    "tiff without its pixels": (tiff(NOISE)[:8] + tiff(NOISE)[-160:], "its header is not whole", True),
    "tiff whose pixels lie beyond its end": (FAR, "cannot be decoded", True),
    "bmp cut": (WHOLE["bmp"][:-5000], "is cut off", True),
    "nothing but a start": (b"\xff\xd8\xff", "its header is not whole", True),
}


def by_detect(path: Path) -> str | None:
    """Read it in a row after a whole image, as `detect` does."""
    (path.parent / "row").mkdir()
    (path.parent / "row" / "0.jpg").write_bytes(JPEG)
    path.rename(path.parent / "row" / "1.jpg")
    source = ImageSource(path.parent / "row")
    count = sum(1 for _ in source)
    assert count + source.skipped == 2
    return next((note for note in source.notes if "1.jpg" in note), None) if source.skipped else None


def by_reading(path: Path) -> str | None:
    """Read it as `evaluate` and training do."""
    try:
        image = SequenceReader([path]).read(path)
    except ImageError as error:
        return error.problem
    assert image.shape == NOISE.shape
    assert image.dtype == np.uint8
    return None


def by_check(path: Path) -> str | None:
    return inspect_image(path).problem


READERS: list[Callable[[Path], str | None]] = [by_detect, by_reading, by_check]


def write(folder: Path, data: bytes, name: str = "a.jpg") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_every_reader_takes_a_whole_image(
    tmp_path: Path, data: bytes, reader: Callable[[Path], str | None], capfd: pytest.CaptureFixture[str]
) -> None:
    assert reader(write(tmp_path, data)) is None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("data", "problem", "_"), DAMAGED.values(), ids=DAMAGED)
def test_every_reader_finds_the_same_damage_and_nothing_else_is_printed(
    tmp_path: Path,
    data: bytes,
    problem: str,
    _: bool,
    reader: Callable[[Path], str | None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = reader(write(tmp_path, data))
    assert found is not None
    assert problem in found
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_a_quick_check_measures_a_whole_image(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    assert inspect_image(path, quick=True) == inspect_image(path)
    assert inspect_image(path).size == (120, 90)


@pytest.mark.parametrize(
    ("data", "problem"), [one[:2] for one in DAMAGED.values() if one[2]], ids=[n for n in DAMAGED if DAMAGED[n][2]]
)
def test_a_quick_check_finds_what_is_cut_off(tmp_path: Path, data: bytes, problem: str) -> None:
    found = inspect_image(write(tmp_path, data), quick=True).problem
    assert found is not None
    assert problem in found


def test_most_holes_in_a_real_image_are_found_by_decoding_and_none_by_a_quick_check(
    tmp_path: Path, street_image: ImageArray
) -> None:
    data = encode(".jpg", street_image)
    places = range(1000, len(data) - 4000, 1000)
    found = 0
    for start in places:
        path = write(tmp_path, data[:start] + b"\0" * 2048 + data[start + 2048 :])
        found += inspect_image(path).problem is not None
        assert inspect_image(path, quick=True).problem is None
    assert found > 0.7 * len(places), f"{found} of {len(places)}"


def test_a_missing_image_and_one_that_cannot_be_read_differ(tmp_path: Path) -> None:
    assert inspect_image(tmp_path / "gone.JPEG") == ImageState(None, "is missing", is_missing=True)
    folder = inspect_image(tmp_path)
    assert folder.problem is not None
    assert folder.problem.startswith("cannot be read (it is a folder")
    assert not folder.is_missing
    for path in (tmp_path, tmp_path / "gone.JPEG"):
        with pytest.raises(SourceError, match=path.name) as caught:
            read_image(path)
        assert not isinstance(caught.value, ImageError)


CORNERS = np.zeros((16, 32, 3), np.uint8)
CORNERS[:8, :16], CORNERS[:8, 16:], CORNERS[8:, :16] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
# What becomes of `CORNERS`, by the words of the EXIF standard: where its top row and its left column go.
UPRIGHT = {
    1: CORNERS,
    2: CORNERS[:, ::-1],
    3: CORNERS[::-1, ::-1],
    4: CORNERS[::-1],
    5: CORNERS.transpose(1, 0, 2),
    6: np.rot90(CORNERS, -1),
    7: CORNERS.transpose(1, 0, 2)[::-1, ::-1],
    8: np.rot90(CORNERS),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_the_orientation_tag_is_followed_and_the_size_is_that_of_the_upright_image(
    tmp_path: Path, orientation: int, suffix: str, order: str
) -> None:
    data = with_exif(suffix, np.ascontiguousarray(CORNERS[..., ::-1]), orientation, order)
    path = write(tmp_path, data)
    wanted = UPRIGHT[orientation]
    image = read_image(path)
    assert image.shape == wanted.shape
    assert np.abs(image[2::8, 2::8].astype(int) - wanted[2::8, 2::8]).max() < 60
    for quick in (False, True):
        assert inspect_image(path, quick=quick) == ImageState(wanted.shape[1::-1])


LONG = np.random.default_rng().integers(0, 256, 150_000, np.uint8).tobytes()


@pytest.mark.parametrize("behind", ["a text", "a profile", "the pixels", "comments"])
@pytest.mark.parametrize("quick", [False, True])
def test_an_orientation_is_found_however_far_from_the_start_it_stands(
    behind: str, quick: bool, tmp_path: Path
) -> None:
    image = np.ascontiguousarray(CORNERS[..., ::-1])
    data, turn = encode(".png", image), chunk(b"eXIf", exif(6))
    if behind == "comments":
        part = b"Exif\0\0" + exif(6)
        jpeg = encode(".jpg", image)
        comments = b"".join(b"\xff\xfe\xff\xff" + LONG[:0xFFFD] for _ in range(3))
        data = jpeg[:2] + comments + b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + jpeg[2:]
    elif behind == "the pixels":
        data = encode(".png", np.resize(np.frombuffer(LONG, np.uint8), (200, 240, 3)))
        data = data[:-12] + turn + data[-12:]
    else:
        name = b"tEXt" if behind == "a text" else b"iCCP"
        data = data[:33] + chunk(name, b"a\0\0" + LONG) + turn + data[33:]
    path = write(tmp_path, data)
    height, width = read_image(path).shape[:2]
    assert (width, height) == ((200, 240) if behind == "the pixels" else (16, 32))
    assert inspect_image(path, quick=quick) == ImageState((width, height))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(tmp_path: Path, orientation: int) -> None:
    assert read_image(write(tmp_path, with_exif(".jpg", CORNERS, orientation))).shape == CORNERS.shape


def test_the_content_says_of_which_kind_an_image_is(tmp_path: Path) -> None:
    assert (read_image(write(tmp_path, PNG, "a.jpg"))[..., ::-1] == NOISE).all()
    assert (
        read_image(write(tmp_path, JPEG, "b.png"))[..., ::-1] == cv2.imdecode(np.frombuffer(JPEG, np.uint8), 1)
    ).all()


def test_grey_and_transparent_images_and_palettes_become_rgb(tmp_path: Path) -> None:
    grey = read_image(write(tmp_path, encode(".png", NOISE[..., 0])))
    assert (grey == NOISE[..., :1]).all()
    clear = read_image(write(tmp_path, encode(".png", np.dstack([NOISE, np.zeros((90, 120), np.uint8)]))))
    assert (clear[..., ::-1] == NOISE).all()
    palette = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    palette += chunk(b"PLTE", bytes([9, 8, 7, 200, 100, 50])) + chunk(b"IDAT", zlib.compress(b"\0\0\1"))
    palette += chunk(b"IEND", b"")
    assert read_image(write(tmp_path, palette)).tolist() == [[[9, 8, 7], [200, 100, 50]]]
    bits = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 1, 0, 0, 0, 0))
    bits += chunk(b"IDAT", zlib.compress(b"\0\x40")) + chunk(b"IEND", b"")
    assert read_image(write(tmp_path, bits))[..., 0].tolist() == [[0, 255]]


def test_images_for_print_are_read(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image").fromarray(np.full((16, 24, 4), (0, 200, 200, 0), np.uint8), "CMYK")
    image.save(tmp_path / "a.jpg")
    red, green, blue = read_image(tmp_path / "a.jpg")[8, 12].tolist()
    assert red > 200
    assert green < 90
    assert blue < 90
    data = (tmp_path / "a.jpg").read_bytes()
    assert inspect_image(write(tmp_path, data)).problem is None
    assert inspect_image(write(tmp_path, data[:-30])).problem is not None


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp", "ppm", "jpeg"])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path, kind: str) -> None:
    side = 20_000
    png = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    width = struct.pack("<HHII", 256, 4, 1, 1)
    data = {
        "png": png + chunk(b"IDAT", zlib.compress(bytes(side // 8 + 1) * side)) + chunk(b"IEND", b""),
        "tiff": tiff(np.zeros((1, 1), np.uint8)).replace(width, width[:8] + struct.pack("<I", 10**9)),
        "bmp": encode(".bmp")[:18] + struct.pack("<ii", side, -side) + encode(".bmp")[26:],
        "ppm": b"P6\n20000 20000\n255\n" + bytes(50),
        "jpeg": JPEG.replace(b"\x00\x5a\x00\x78", b"\x4e\x20\x4e\x20"),
    }[kind]  # fmt: skip
    path = write(tmp_path, data)
    for reader in READERS[1:]:
        assert "at most 200 are read" in str(reader(path))
    with pytest.raises(SourceError, match=r"a\.jpg.*at most 200 are read"):
        ImageSource(path)


def test_an_image_too_large_among_others_is_skipped_and_named(tmp_path: Path) -> None:
    write(tmp_path, JPEG, "0.jpg")
    write(tmp_path, JPEG.replace(b"\x00\x5a\x00\x78", b"\x4e\x20\x4e\x20"), "1.jpg")
    source = ImageSource(tmp_path)
    assert sum(1 for _ in source) == 1
    assert any("1.jpg has 20,000 x 20,000 pixels" in note for note in source.notes)


def test_all_kinds_in_a_folder_are_read_and_what_is_skipped_is_said(tmp_path: Path) -> None:
    for number, suffix in enumerate([*SUFFIXES, ".pgm", ".jp2", ".jfif"]):
        data = encode({".jfif": ".jpg"}.get(suffix, suffix), NOISE[..., 0] if suffix == ".pgm" else NOISE)
        write(tmp_path, data, f"{number}{suffix}")
    source = ImageSource(tmp_path)
    assert sum(1 for _ in source) == 9
    assert source.notes == []
    for name in ("a.gif", "b.heic", "clip.MP4", "annotations.json"):
        write(tmp_path, b"?", name)
    (note,) = ImageSource(tmp_path).notes
    assert note.startswith("3 files beside the images are skipped (.gif, .heic, .mp4)")


def test_twelve_bits_in_sixteen_are_scaled_to_what_they_hold_and_it_is_said(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), NOISE.astype(np.uint16) * 16 // (number + 1))
    source = ImageSource(tmp_path)
    images = [frame.image for frame in source]
    assert [int(image.max()) for image in images] == [254, 127, 85]  # one scale for all: no flicker
    assert any("12 bits" in note for note in source.notes)
    reader = SequenceReader([tmp_path / f"{number}.png" for number in range(3)])
    with ThreadPoolExecutor(3) as pool:
        alike = list(pool.map(reader.read, [tmp_path / f"{number}.png" for number in range(3)]))
    assert all((one == other).all() for one, other in zip(images, alike, strict=True))


def test_sixteen_bits_that_are_used_are_scaled_by_all_of_them_and_nothing_is_said(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), NOISE.astype(np.uint16) * 257)
    source = ImageSource(tmp_path)
    (frame,) = source
    assert (frame.image[..., ::-1] == NOISE).all()
    assert source.notes == []


@pytest.mark.parametrize(
    ("greatest", "dtype", "white", "is_part"),
    [
        (200, np.uint16, 255, True),
        (1023, np.uint16, 1023, True),
        (1024, np.uint16, 4095, True),
        (4096, np.uint16, 16383, True),
        (16384, np.uint16, 65535, False),
        (0, np.uint16, 255, True),
        (1.0, np.float32, 1, False),
        (254.5, np.float32, 255, False),
        (3000.0, np.float64, 4095, False),
    ],
)
def test_what_becomes_white(greatest: float, dtype: type, white: float, is_part: bool) -> None:
    assert Levels.of([np.array([0, greatest], dtype)]) == Levels(white, is_part)


def test_values_that_are_no_numbers_become_black_and_what_is_brighter_white() -> None:
    image = np.array([np.nan, -np.inf, -1, 0, 0.5, 1, 7, np.inf], np.float32)
    assert Levels.of([image[:6]]) == Levels(1.0)
    assert to_eight_bits(image, Levels(1.0)).tolist() == [0, 0, 0, 0, 128, 255, 255, 255]


def test_several_images_in_a_file_are_known_and_the_first_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, two_frames())
    assert inspect_image(path).holds_several
    assert (read_image(path)[..., ::-1] == NOISE).all()
    assert not inspect_image(write(tmp_path, PNG)).holds_several
    (folder := tmp_path / "pages").mkdir()
    cv2.imwritemulti(str(folder / "a.tiff"), [NOISE, SMOOTH])
    assert inspect_image(folder / "a.tiff").holds_several


def test_a_damaged_image_puts_no_foreign_line_on_standard_error(tmp_path: Path) -> None:
    program = "import sys, heatprop.io.image_files as p; print(p.inspect_image(p.Path(sys.argv[1])).problem)"
    path = write(tmp_path, HOLE)
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert ("is damaged" in run.stdout, run.stderr) == (True, "")


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(SUFFIXES))
def test_the_size_in_the_header_is_the_size_decoded(width: int, height: int, suffix: str) -> None:
    header = read_header(encode(suffix, np.zeros((height, width, 3), np.uint8)))
    assert header is not None
    assert header.size == (width, height)


STARTS = [data[:200] for data in WHOLE.values()]


@given(st.sampled_from(STARTS), st.data())
def test_any_header_is_read_or_not(start: bytes, data: st.DataObject) -> None:
    changed = bytearray(start[: data.draw(st.integers(0, len(start)))])
    for _ in range(data.draw(st.integers(0, 4)) if changed else 0):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    header = read_header(bytes(changed))
    assert header is None or (header.width > 0 and header.height > 0)


@given(st.integers(0, len(JPEG) - 1))
def test_a_jpeg_cut_off_anywhere_is_found_by_both(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = write(tmp_path_factory.mktemp("cut"), JPEG[:length])
    assert inspect_image(path).problem is not None
    assert inspect_image(path, quick=True).problem is not None

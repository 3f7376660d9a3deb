"""A still in AVIF, and one in PNG, is shown as its file says: way up, part, depth, and colours."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from heatprop.io import open_video
from heatprop.io.colour import ColourSpace
from heatprop.io.image_files import ImageState, inspect_image, read_image
from heatprop.io.image_headers import read_header
from heatprop.io.sequence_reader import SequenceReader

HAS_AVIF = hasattr(cv2, "IMWRITE_AVIF_QUALITY") and cv2.haveImageWriter("a.avif")
needs_avif = pytest.mark.skipif(not HAS_AVIF, reason="this OpenCV writes no AVIF")
CORNERS = np.zeros((32, 64, 3), np.uint8)
CORNERS[:16, :32], CORNERS[:16, 32:], CORNERS[16:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
RAMP = np.repeat(np.tile(np.linspace(0, 1023, 128).astype(np.uint16), (32, 1))[..., None], 3, 2)
PQ, HLG, PLAIN = (16, 9), (18, 9), (1, 1)


def avif(image: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(".avif", image[..., ::-1], [cv2.IMWRITE_AVIF_QUALITY, 100, *options])
    assert done
    return bytes(data.tobytes())


def with_properties(data: bytes, *properties: bytes) -> bytes:
    """Return an AVIF whose image has these further properties, in this order."""
    added = b"".join(struct.pack(">I", len(each) + 4) + each for each in properties)
    last = data[data.index(b"ipma") + 4 + 4 + 4 + 2]  # how many it has so far, which are all there are
    numbers = bytes(0x80 | last + 1 + number for number in range(len(properties)))
    grown = bytearray(data)

    def put(place: int, content: bytes, *boxes: bytes) -> None:
        for name in boxes:
            at = grown.index(name) - 4
            (size,) = struct.unpack_from(">I", grown, at)
            struct.pack_into(">I", grown, at, size + len(content))
        grown[place:place] = content

    ipma = grown.index(b"ipma")
    grown[ipma + 14] += len(properties)
    put(ipma + 15 + last, numbers, b"ipma", b"iprp", b"meta")
    put(grown.index(b"ipma") - 4, added, b"ipco", b"iprp", b"meta")
    place = grown.index(b"iloc") + 4 + 4 + 2 + 2 + 2 + 2 + 2
    (offset,) = struct.unpack_from(">I", grown, place)
    struct.pack_into(">I", grown, place, offset + len(added) + len(numbers))
    return bytes(grown)


def irot(quarters: int) -> bytes:
    return b"irot" + bytes([quarters])


def imir(axis: int) -> bytes:
    return b"imir" + bytes([axis])


def clap(width: int, height: int, right: tuple[int, int], down: tuple[int, int]) -> bytes:
    return b"clap" + struct.pack(">IIIIiIiI", width, 1, height, 1, *right, *down)


def told(data: bytes, transfer: int, primaries: int) -> bytes:
    """Return an AVIF that says of its colours what they are."""
    place = data.index(b"nclx") + 4
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def write(folder: Path, data: bytes, name: str = "a.avif") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def turned(image: np.ndarray, properties: tuple[bytes, ...]) -> np.ndarray:
    for each in properties:
        if each[:4] == b"irot":
            image = np.rot90(image, each[4])
        elif each[:4] == b"imir":
            image = image[:, ::-1] if each[4] else image[::-1]
    return image


TURNS = [
    *[(irot(quarters),) for quarters in range(4)],
    *[(imir(axis),) for axis in range(2)],
    *[(irot(quarters), imir(axis)) for quarters in range(4) for axis in range(2)],
    *[(imir(axis), irot(quarters)) for quarters in range(4) for axis in range(2)],
]


@needs_avif
@pytest.mark.parametrize("properties", TURNS, ids=str)
def test_turning_and_mirroring_are_followed_in_their_order_by_every_reader(
    properties: tuple[bytes, ...], tmp_path: Path
) -> None:
    path = write(tmp_path, with_properties(avif(CORNERS), *properties))
    wanted = turned(CORNERS, properties)
    with open_video(path) as video:
        (frame,) = video
    for image in (frame.image, read_image(path), SequenceReader([path]).read(path)):
        assert image.shape == wanted.shape
        assert np.abs(image[4::8, 4::8].astype(int) - wanted[4::8, 4::8]).max() < 20
    for quick in (False, True):
        assert inspect_image(path, quick=quick) == ImageState(wanted.shape[1::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_pillow_saves_with_an_orientation_is_upright(orientation: int, tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    features = pytest.importorskip("PIL.features")
    if not HAS_AVIF or not features.check("avif"):
        pytest.skip("needs AVIF in OpenCV and Pillow")
    for name in ("a.avif", "a.jpg"):
        tags = pillow.Exif()  # saving as AVIF takes the number out
        tags[274] = orientation
        pillow.fromarray(CORNERS).save(tmp_path / name, exif=tags, quality=95)
    image, wanted = read_image(tmp_path / "a.avif"), read_image(tmp_path / "a.jpg")
    assert image.shape == wanted.shape
    assert np.abs(image[4::8, 4::8].astype(int) - wanted[4::8, 4::8]).max() < 20


@needs_avif
def test_of_an_image_with_a_clean_aperture_only_that_is_shown_and_then_turned(tmp_path: Path) -> None:
    whole = read_image(write(tmp_path, avif(CORNERS)))
    part = clap(40, 20, (4, 1), (-2, 1))
    path = write(tmp_path, with_properties(avif(CORNERS), part, irot(1)))
    assert (read_image(path) == np.rot90(whole[4:24, 16:56])).all()
    assert inspect_image(path) == ImageState((20, 40))
    for wrong in (clap(40, 20, (40, 1), (0, 1)), clap(41, 20, (0, 1), (0, 1)), clap(40, 20, (0, 0), (0, 1))):
        path = write(tmp_path, with_properties(avif(CORNERS), wrong))
        assert read_image(path).shape == (32, 64, 3)


@needs_avif
@pytest.mark.parametrize("transfer_and_primaries", [PQ, HLG])
def test_high_dynamic_range_is_converted_by_the_rule_of_videos_and_it_is_said(
    transfer_and_primaries: tuple[int, int], tmp_path: Path
) -> None:
    transfer, primaries = transfer_and_primaries
    path = write(tmp_path, told(avif(RAMP, cv2.IMWRITE_AVIF_DEPTH, 10), transfer, primaries))
    wanted = ColourSpace(transfer, primaries).to_bt709(RAMP[0] / 1023) * 255
    name = f"BT.2020 {'PQ' if transfer == 16 else 'HLG'}"
    with open_video(path) as video:
        (frame,) = video
        assert (video.info.colour, video.notes) == (name, [f"the images are in {name}; converted to BT.709"])
    for image in (frame.image, read_image(path), SequenceReader([path]).read(path)):
        assert np.abs(image[16] - wanted).max() < 6
    assert inspect_image(path) == ImageState((128, 32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_that_says_high_dynamic_range_is_converted_alike(dtype: type, tmp_path: Path) -> None:
    most = int(np.iinfo(dtype).max)
    ramp = np.rint(RAMP / 1023 * most).astype(dtype)
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), ramp)
    data = path.read_bytes()
    said = b"cICP" + bytes([9, 16, 0, 1])
    part = struct.pack(">I", 4) + said + struct.pack(">I", 0)
    path.write_bytes(data[:33] + part + data[33:])
    wanted = ColourSpace(16, 9).to_bt709(ramp[0] / most) * 255
    with open_video(path) as video:
        (frame,) = video
        assert video.info.colour == "BT.2020 PQ"
    assert np.abs(frame.image[16] - wanted).max() < 4


@needs_avif
@pytest.mark.parametrize("most", [200, 1023])
def test_ten_bits_are_scaled_by_what_the_file_says_and_not_by_what_it_holds(most: int, tmp_path: Path) -> None:
    dark = (RAMP.astype(int) * most // 1023).astype(np.uint16)
    path = write(tmp_path, told(avif(dark, cv2.IMWRITE_AVIF_DEPTH, 10), *PLAIN))
    with open_video(path) as video:
        (frame,) = video
        assert (video.info.colour, video.notes) == (None, [])
    assert np.abs(frame.image[16] - dark[16] * (255 / 1023)).max() < 4


@needs_avif
def test_a_header_that_is_cut_off_or_changed_is_read_or_not() -> None:
    data = with_properties(avif(CORNERS), clap(40, 20, (4, 1), (-2, 1)), irot(1))
    end = data.index(b"mdat")
    for place in range(end):
        read_header(data[:place])
        for value in (0, 0xFF):
            read_header(data[:place] + bytes([value]) + data[place + 1 : end])

"""Damaged videos: no crash, no hang, never more frames than the whole has, and what is lost is counted."""

import random
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import cv2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatprop.errors import SourceError
from heatprop.io import open_video
from small_videos import build_video, number_of, paint

COUNT = 24
KINDS = {
    "mp4": ("libx264", ".mp4"),
    "mkv": ("libx264", ".mkv"),
    "avi": ("mpeg4", ".avi"),
    "ts": ("libx264", ".ts"),
}


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    codec, suffix = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    return build_video(folder / f"whole{suffix}", COUNT, codec=codec, options={"g": "6"})


def read_what_is_left(path: Path) -> tuple[int, int] | None:
    """Numbers of frames and of skipped parts; None when the file cannot be opened.

    Reading may end with an error in a line, where nothing whole comes any more.
    """
    try:
        source = open_video(path)
    except SourceError:
        return None
    with source:
        frames = []
        with suppress(SourceError):
            frames.extend(source)  # keeps what came before an error
        assert frames
        assert [frame.index for frame in frames] == list(range(len(frames)))
        assert all(before.time < after.time for before, after in pairwise(frames))
        assert frames[0].time == 0
        return len(frames), source.skipped


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 40), cut=st.floats(0.05, 1.0))
def test_flipped_bytes_and_cut_ends_are_survived(whole: Path, seed: int, flips: int, cut: float) -> None:
    data = bytearray(whole.read_bytes())
    data = data[: max(1, round(len(data) * cut))]
    generator = random.Random(seed)
    for _ in range(flips):
        data[generator.randrange(len(data))] = generator.randrange(256)
    damaged = whole.with_name(f"damaged{whole.suffix}")
    damaged.write_bytes(data)
    left = read_what_is_left(damaged)
    assert left is None or 1 <= left[0] <= COUNT


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_cut_file_gives_what_it_has(whole: Path, part: float) -> None:
    data = whole.read_bytes()
    cut = whole.with_name(f"cut{whole.suffix}")
    cut.write_bytes(data[: round(len(data) * part)])
    left = read_what_is_left(cut)
    if whole.suffix == ".mp4":
        assert left is None or part == 0.99  # its index lies at the end
    elif part >= 0.7:
        assert left is not None
        assert 0 < left[0] < COUNT or part == 0.99


def test_a_cut_mp4_with_its_index_in_front_gives_what_it_has(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.mp4", COUNT, container_options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * 0.8)])
    left = read_what_is_left(path)
    assert left is not None
    assert 0 < left[0] < COUNT


def test_a_destroyed_frame_is_counted_and_the_others_stay(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.avi", COUNT, codec="mjpeg", pixel_format="yuvj420p")
    data = bytearray(path.read_bytes())
    movie = range(data.index(b"movi"), len(data))
    starts = [place for place in movie if data[place : place + 4] == b"00dc"][:COUNT]
    data[starts[10] + 8 : starts[11]] = bytes(starts[11] - starts[10] - 8)
    path.write_bytes(data)
    with open_video(path) as source:
        frames = list(source)
        assert source.skipped == 1
    assert [number_of(frame.image) for frame in frames] == [n % 16 for n in range(COUNT) if n != 10]
    assert [frame.index for frame in frames] == list(range(COUNT - 1))
    assert [round(frame.time * 25) for frame in frames] == [n for n in range(COUNT) if n != 10]


def test_a_damaged_image_in_a_folder_is_counted_and_the_others_stay(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        assert cv2.imwrite(str(tmp_path / f"{number}.jpg"), paint(number)[..., ::-1])
    data = (tmp_path / "2.jpg").read_bytes()
    (tmp_path / "2.jpg").write_bytes(data[: len(data) // 3])
    (tmp_path / "4.jpg").write_bytes(b"")
    with open_video(tmp_path) as source:
        for _ in range(2):
            frames = list(source)
            assert source.skipped == 2
            assert [number_of(frame.image) for frame in frames] == [0, 1, 3, 5]
            assert [frame.index for frame in frames] == [0, 1, 2, 3]
            assert [round(frame.time * 25) for frame in frames] == [0, 1, 3, 5]
    assert "ERROR" not in capfd.readouterr().err


def test_a_stream_that_first_appears_on_the_way_is_no_harm(tmp_path: Path) -> None:
    path = build_video(tmp_path / "clip.ts", COUNT, audio="aac", audio_seconds=1.0)
    data = bytearray(path.read_bytes())
    sound = [at for at in range(0, len(data), 188) if data[at + 1 : at + 3] == b"\x41\x01"]  # where a part begins
    data[sound[-1] + 2] = 0x5A  # of a stream that no table names
    path.write_bytes(data)
    assert read_what_is_left(path) == (COUNT, 0)

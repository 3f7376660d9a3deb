"""What a file announces and does not have is counted and said; whole files raise no alarm."""

import struct
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from heatprop.io import open_video
from small_videos import build_video

COUNT = 40
KINDS = {
    "mp4": ("libx264", "yuv420p", "aac"),
    "mov": ("mjpeg", "yuvj420p", None),
    "mkv": ("libx264", "yuv420p", "aac"),
    "webm": ("libvpx", "yuv420p", None),
    "avi": ("mjpeg", "yuvj420p", None),
    "flv": ("libx264", "yuv420p", None),
    "wmv": ("wmv2", "yuv420p", None),
    "ts": ("libx264", "yuv420p", None),
    "nut": ("mpeg4", "yuv420p", None),
}
ANNOUNCING = ["mp4", "mov", "mkv", "webm", "avi", "flv"]
IN_FRAGMENTS = ["frag_keyframe", "frag_keyframe+empty_moov", "frag_every_frame+empty_moov", "dash"]


def write(folder: Path, suffix: str, **options: object) -> Path:
    codec, pixel_format, audio = KINDS[suffix]
    head = {"container_options": {"movflags": "faststart"}} if suffix in ("mp4", "mov") else {}
    wanted = {"codec": codec, "pixel_format": pixel_format, "audio": audio, **head, **options}
    return build_video(folder / f"whole.{suffix}", COUNT, **wanted)  # type: ignore[arg-type]


def cut(path: Path, share: float) -> Path:
    target = path.with_stem("cut")
    data = path.read_bytes()
    target.write_bytes(data[: round(len(data) * share)])
    return target


def read(path: Path) -> tuple[int, int, Sequence[str]]:
    """Numbers of frames and of what is missing, and the notes; the same when read again."""
    with open_video(path) as video:
        told = [(len(list(video)), video.skipped, tuple(video.notes)) for _ in range(2)]
    assert told[0] == told[1]
    return told[0]


@pytest.mark.parametrize("suffix", KINDS)
def test_a_whole_file_lacks_nothing(suffix: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, suffix)) == (COUNT, 0, ())


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
@pytest.mark.parametrize("suffix", ANNOUNCING)
def test_what_a_cut_file_announces_is_missing(suffix: str, share: float, tmp_path: Path) -> None:
    frames, skipped, notes = read(cut(write(tmp_path, suffix), share))
    assert 0 < frames < COUNT
    # In FLV the length counts from another start.
    assert abs(frames + skipped - COUNT) <= (2 if suffix == "flv" else 0)
    assert len(notes) == 1
    assert "cut off" in notes[0]


@pytest.mark.parametrize("suffix", ANNOUNCING)
def test_who_stops_early_is_told_nothing(suffix: str, tmp_path: Path) -> None:
    with open_video(cut(write(tmp_path, suffix), 0.7)) as video:
        assert len(list(islice(video, 5))) == 5
        assert video.skipped == 0
        assert video.notes == []


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_sound_that_lasts_longer_is_not_taken_for_frames(share: float, tmp_path: Path) -> None:
    whole = write(tmp_path, "flv", audio="aac", audio_seconds=20.0)
    assert read(whole) == (COUNT, 0, ())
    frames, skipped, _ = read(cut(whole, share))
    assert skipped <= frames / share - frames + 2


@pytest.mark.parametrize("flags", IN_FRAGMENTS)
def test_a_file_in_fragments_may_still_be_written(flags: str, tmp_path: Path) -> None:
    path = write(tmp_path, "mp4", container_options={"movflags": flags}, options={"g": "5", "bf": "0"})
    assert read(path)[1:] == (0, ())
    assert read(cut(path, 0.7))[2] == ()


def test_a_live_recording_without_a_length_may_still_be_written(tmp_path: Path) -> None:
    path = write(tmp_path, "webm", container_options={"live": "1"})
    assert read(path) == (COUNT, 0, ())
    assert read(cut(path, 0.7))[2] == ()


@pytest.mark.parametrize("milliseconds", [1, 400, 1590, 90_000])
def test_what_an_edit_list_leaves_out_is_not_missing(milliseconds: int, tmp_path: Path) -> None:
    path = write(tmp_path, "mp4")
    data = bytearray(path.read_bytes())
    (units,) = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)  # a second
    struct.pack_into(">I", data, data.index(b"elst") + 12, milliseconds * units // 1000)
    path.write_bytes(data)
    assert read(path)[1:] == (0, ())


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "flv"])
def test_a_variable_rate_raises_no_alarm(suffix: str, tmp_path: Path) -> None:
    ticks = [number * number * 700 for number in range(COUNT)]
    assert read(write(tmp_path, suffix, ticks=ticks, options={})) == (COUNT, 0, ())


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_bytes_behind_the_end_raise_no_alarm(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path, suffix)
    path.write_bytes(path.read_bytes() + b"\x7f" * 5000)
    assert read(path) == (COUNT, 0, ())


@pytest.mark.parametrize("wrong", [-2, 2])
def test_a_head_that_counts_wrong_by_two_raises_no_alarm(wrong: int, tmp_path: Path) -> None:
    path = write(tmp_path, "avi")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, COUNT + wrong)
    path.write_bytes(data)
    assert read(path) == (COUNT, 0, ())

"""Whether an output is whole is told by the file: complete, unfinished, or not known."""

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.io import SourceInfo, VideoSink
from heatprop.io.completeness import Completeness, count_frames, parse_end, state_of
from heatprop.io.end_mark import end_mark, read_end_mark
from heatprop.io.results import ResultsHeader
from small_videos import build_video, paint

COUNT = 12
INFO = SourceInfo("made", 64, 48, Fraction(25), COUNT, COUNT / 25, is_live=False, has_audio=False)
SUFFIXES = [".mp4", ".m4v", ".mov", ".mkv", ".webm"]


def write(path: Path, *, complete: bool) -> Path:
    sink = VideoSink(path, INFO)
    for number in range(COUNT):
        sink.write(paint(number), number / 25)
    sink.close(complete=complete, header=ResultsHeader("tiny", ["cat"]))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("complete", [True, False])
def test_a_video_says_whether_it_is_whole_and_players_do_not_mind(
    tmp_path: Path, suffix: str, complete: bool
) -> None:
    path = write(tmp_path / f"out{suffix}", complete=complete)
    state = state_of(path)
    assert state.completeness is (Completeness.COMPLETE if complete else Completeness.UNFINISHED)
    assert state.frames == count_frames(path) == COUNT
    assert state.header is not None
    assert state.header.model == "tiny"
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == COUNT


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_another_program_made_of_it_says_nothing(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"out{suffix}", complete=True)
    copied = tmp_path / f"copied{suffix}"
    with av.open(str(path)) as source, av.open(str(copied), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert state_of(copied).completeness is Completeness.UNKNOWN
    codec = "libvpx" if suffix == ".webm" else "libx264"
    other = build_video(tmp_path / f"other{suffix}", codec=codec)
    assert state_of(other).completeness is Completeness.UNKNOWN


def test_a_file_that_is_no_output_says_nothing(tmp_path: Path) -> None:
    for content in (b"", b"{}\n", b"heatprop", b"\0" * 100):
        (tmp_path / "file.mp4").write_bytes(content)
        assert state_of(tmp_path / "file.mp4").completeness is Completeness.UNKNOWN
        assert count_frames(tmp_path / "file.mp4") == 0


def test_results_cut_in_their_first_line_are_unfinished(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_bytes(b'{"format":"heatprop-detections","ver')
    assert state_of(tmp_path / "out.jsonl").completeness is Completeness.UNFINISHED
    (tmp_path / "out.jsonl").write_bytes(b'{"format":"heatprop-detections","ver"}\n')
    assert state_of(tmp_path / "out.jsonl").completeness is Completeness.UNKNOWN


def test_a_copy_with_its_last_bytes_is_as_good(tmp_path: Path) -> None:
    path = write(tmp_path / "out.mp4", complete=True)
    assert state_of(shutil.copy(path, tmp_path / "copy.mp4")) == state_of(path)


@given(
    suffix=st.sampled_from(SUFFIXES),
    facts=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=50), max_size=5),
    frames=st.integers(0, 2**40),
    complete=st.booleans(),
)
def test_an_end_mark_comes_back(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, facts: dict[str, object], frames: int, complete: bool
) -> None:
    path = tmp_path_factory.mktemp("mark") / f"out{suffix}"
    path.write_bytes(b"a video" + end_mark(suffix, facts, frames, complete=complete))
    found = read_end_mark(path)
    assert found is not None
    assert found[0] == {**facts, "format": "heatprop-video"}
    assert found[1] == {"frames": frames, "complete": complete}


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_bytes_of_any_kind_are_no_mark(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, length: bytes
) -> None:
    path = tmp_path_factory.mktemp("mark") / "out.mp4"
    path.write_bytes(before + length[:4] + b"heatprop")
    assert state_of(path).completeness is Completeness.UNKNOWN
    assert parse_end(before) is None


def test_an_unfinished_video_does_not_replace_a_longer_one(tmp_path: Path) -> None:
    path = write(tmp_path / "out.mp4", complete=False)
    before = path.read_bytes()
    sink = VideoSink(path, replace(INFO), overwrite=True, min_frames=COUNT)
    sink.write(paint(0), 0.0)
    sink.close(complete=False)
    assert path.read_bytes() == before
    sink = VideoSink(path, INFO, overwrite=True, min_frames=COUNT)
    sink.write(paint(0), 0.0)
    sink.close()
    assert state_of(path).frames == 1

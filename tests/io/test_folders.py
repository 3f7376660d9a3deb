"""What a folder holds is read, or named as skipped; nothing is passed over in silence."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest

from heatprop import open_video
from heatprop.errors import SourceError
from heatprop.io import VideoSink
from heatprop.io.folders import inspect_folder
from heatprop.io.images import ImageSource
from heatprop.io.names import sources_of
from heatprop.io.results_header import ResultsHeader
from heatprop.io.suffixes import IMAGE_SUFFIXES, OTHER_SUFFIXES, VIDEO_SUFFIXES
from small_videos import build_video, paint

HEADER = ResultsHeader("m", ["a"], source={"name": "x"})


def annotated(path: Path, *, is_whole: bool, is_detected: bool = True) -> Path:
    """Write what `heatprop detect` writes, whole or as a kill leaves it; or what `VideoSink` does for others."""
    source = build_video(path.with_name("source of it.mkv"), 30)
    with open_video(source) as video:
        sink = VideoSink(path, video.info)
        sink.made_from = "0123456789abcdef" if is_detected else ""
        for frame in video:
            sink.write(frame.image, frame.time)
    sink.close(header=HEADER if is_detected else None)
    source.unlink()
    if not is_whole:  # the head alone
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def build(path: Path, container: str, codec: str, pixel_format: str = "yuv420p") -> None:
    """Write twelve images in a container that the ending of the name need not say."""
    with av.open(str(path), "w", format=container) as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(paint(number), format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_no_ending_has_two_meanings() -> None:
    assert len(IMAGE_SUFFIXES | VIDEO_SUFFIXES | OTHER_SUFFIXES) == sum(
        map(len, (IMAGE_SUFFIXES, VIDEO_SUFFIXES, OTHER_SUFFIXES))
    )


def test_videos_of_rarer_kinds_are_sources_too(tmp_path: Path) -> None:
    kinds = {
        "a.divx": ("avi", "mpeg4"),
        "b.h264": ("h264", "libx264"),
        "c.m2t": ("mpegts", "libx264"),
        "d.f4v": ("mp4", "libx264"),
        "e.nut": ("nut", "mpeg4"),
        "f.mjpg": ("mjpeg", "mjpeg", "yuvj420p"),
        "g.Y4M": ("yuv4mpegpipe", "wrapped_avframe"),
    }
    for name, kind in kinds.items():
        build(tmp_path / name, *kind)
    notes: list[str] = []
    sources = sources_of([str(tmp_path)], notes.append)
    assert [Path(source).name for source in sources] == [*kinds]
    assert notes == []
    for source in sources:
        with open_video(source) as video:
            assert sum(1 for _ in video) == 12


def test_what_lies_beside_videos_and_is_not_read_is_named_in_a_line(tmp_path: Path) -> None:
    build_video(tmp_path / "x.mkv", 2)
    for name in ("o6.heic", "raw.NEF", "size.yuv", "._x.mkv", "._1.jpg", "y.part.mp4", "z.mov.part", "notes.txt"):
        (tmp_path / name).write_bytes(b"?" * 100)
    (tmp_path / "folder.mkv").mkdir()
    notes: list[str] = []
    assert sources_of([str(tmp_path)], notes.append) == [str(tmp_path / "x.mkv")]
    assert notes == [
        f"{tmp_path}: 7 files beside the videos are skipped (.heic, .nef, .yuv; "
        "unfinished: y.part.mp4, z.mov.part; of macOS: ._1.jpg, ._x.mkv); "
        "give them by themselves"
    ]


@pytest.mark.parametrize("suffix", [".flv", ".mxf", ".apng", ".y4m", ".heics", ".HEVC", ".cr3", ".ogm"])
def test_what_lies_beside_images_and_is_not_read_is_named(suffix: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), paint(1))
    (tmp_path / f"a{suffix}").write_bytes(b"?")
    (tmp_path / "._1.png").write_bytes(b"?")
    with ImageSource(tmp_path) as source:
        assert sum(1 for _ in source) == 1
        assert source.skipped == 0
        (note,) = source.notes
    assert note.startswith(f"2 files beside the images are skipped ({suffix.lower()}; of macOS: ._1.png)")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".m4v"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_annotated_videos_are_known_by_what_stands_in_them(suffix: str, is_whole: bool, tmp_path: Path) -> None:
    annotated(tmp_path / f"street{suffix}", is_whole=is_whole)
    build_video(tmp_path / "film.part2.mp4", 2)
    found = inspect_folder(tmp_path)
    assert names([*found.videos]) == ["film.part2.mp4"]
    assert names([*found.skipped.made]) == [f"street{suffix}"]


def test_a_video_that_somebody_else_wrote_with_our_sink_is_a_video(tmp_path: Path) -> None:
    annotated(tmp_path / "mine.mp4", is_whole=True, is_detected=False)
    assert names([*inspect_folder(tmp_path).videos]) == ["mine.mp4"]


def test_an_output_of_an_earlier_version_is_known_by_its_name(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 2)
    build_video(tmp_path / "a.heatprop.mp4", 2)
    assert sources_of([str(tmp_path)]) == [str(tmp_path / "a.mp4")]
    assert sources_of([str(tmp_path / "a.heatprop.mp4")]) == [str(tmp_path / "a.heatprop.mp4")]


def test_a_folder_of_outputs_alone_is_refused_and_they_are_named(tmp_path: Path) -> None:
    annotated(tmp_path / "street.mp4", is_whole=True)
    with pytest.raises(SourceError, match=r"no images among 1 files \(skipped: made by heatprop: street.mp4\)"):
        open_video(tmp_path)
